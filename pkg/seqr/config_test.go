package seqr_test

import (
	"strings"
	"testing"

	"github.com/seqrflow/seqrflow/pkg/seqr"
)

func TestConfigReportsEverythingAtOnce(t *testing.T) {
	_, err := seqr.New(seqr.Config{
		Endpoint: "ftp://provider.example", ClientReference: strings.Repeat("ö", 33), Channel: strings.Repeat("x", 41), Comment: strings.Repeat("x", 81),
		Timeout: -1, ReportTimeout: -1, MaxResponse: -1, MaxReport: -1, MaxConns: -1,
	})
	if err == nil {
		t.Fatal("accepted")
	}
	for _, field := range []string{
		"Endpoint", "ClientReference", "Channel", "Comment", "Timeout", "ReportTimeout", "MaxResponse", "MaxReport", "MaxConns",
	} {
		if !strings.Contains(err.Error(), "seqr: "+field+": ") {
			t.Errorf("%s is not named in %v", field, err)
		}
	}
}

func TestConfigEndpoints(t *testing.T) {
	for endpoint, want := range map[string]string{
		"https://provider.example/extclientproxy/service/v2": "",
		"http://localhost:8080/":                             "",
		"http://127.0.0.1/":                                  "",
		"http://127.9.9.9/":                                  "",
		"http://[::1]:80/":                                   "",
		"http://provider.example/":                           "AllowHTTP",
		"http://localhost.example/":                          "AllowHTTP",
		"http://10.0.0.1/":                                   "AllowHTTP",
		"":                                                   "missing",
		"provider.example":                                   "https",
		"https://":                                           "host",
		"https://:443/":                                      "host",
		"https://till:hunter2@provider.example/":             "password",
		"https://provider.example/#x":                        "fragment",
		"https://hunter2@provider.example:x/":                "expected an https URL",
	} {
		_, err := seqr.New(seqr.Config{Endpoint: endpoint})
		switch {
		case want == "" && err != nil:
			t.Errorf("%s: %v", endpoint, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2")):
			t.Errorf("%s: expected an error about %q, got %v", endpoint, want, err)
		}
	}
	if _, err := seqr.New(seqr.Config{Endpoint: "http://provider.example/", AllowHTTP: true}); err != nil {
		t.Errorf("AllowHTTP: %v", err)
	}
}

func TestConfigAtItsLimits(t *testing.T) {
	if _, err := seqr.New(seqr.Config{
		Endpoint: "https://provider.example/", ClientReference: strings.Repeat("ö", 32), Channel: strings.Repeat("ö", 40), Comment: strings.Repeat("ö", 80),
	}); err != nil {
		t.Error(err)
	}
}
