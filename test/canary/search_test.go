package canary

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The secrets. Each begins with six characters that occur nowhere else and are the same in XML, JSON,
// YAML and a URL, so that a part of a secret is found as well as the whole, however it is quoted.
const (
	brokerToken      = "Kq7ZtokW-4f0a"
	brokerPassword   = "Vx3BpasN-91dd"
	mistakenPassword = "Hm8RmisT-c05e"
	terminalPassword = "Qz5LterJ&<\"-77"
	resellerPassword = "Wd2YresP'>-68b"
	refusedPassword  = "Ng9CrefD-e3a1"
	providerPassword = "Jf6XproS-2b9c"
	fileSecret       = "Bt4UfilG-50ee"
	payloadSecret    = "Rk1EpayM-d7f2"
	apiToken         = "Yb6UapiT-3c18-of-enough-characters"
	webhookSecret    = "Xh2GwooW-88ab"
	consumerKey      = "Td9KconK-4e07"
	consumerSecret   = "Mw3VconS-f52d"
	checkoutKey      = "Lc8ZpayK-1b96-of-enough-characters"
	personalData     = "Gp4SbuyE-7aa0"
	presented        = "Fs7QwroN-6d3e-by-a-stranger"
)

const shortest = 6 // characters of a secret that are searched for

func all() []string {
	return []string{brokerToken, brokerPassword, mistakenPassword, terminalPassword, resellerPassword, refusedPassword,
		providerPassword, fileSecret, payloadSecret, apiToken, webhookSecret, consumerKey, consumerSecret, checkoutKey, personalData, presented}
}

// search collects where a secret was seen.
type search struct {
	t     *testing.T
	bytes int
	found []string
}

// in searches a text. The secrets in own may be in it.
func (s *search) in(where, text string, own ...string) {
	s.bytes += len(text)
	for _, secret := range all() {
		if slices.Contains(own, secret) {
			continue
		}
		for _, form := range forms(secret) {
			if i := strings.Index(text, form); i >= 0 {
				s.found = append(s.found, fmt.Sprintf("%s shows %s…: %q", where, secret[:shortest], text[max(0, i-80):min(len(text), i+80)]))
				break
			}
		}
	}
}

// forms gives the beginning of a secret as it is, in hex, and in base64 at every offset.
func forms(secret string) []string {
	part := []byte(secret[:shortest])
	out := []string{string(part), hex.EncodeToString(part), strings.ToUpper(hex.EncodeToString(part))}
	for shift := range 3 {
		b := base64.RawStdEncoding.EncodeToString(append(make([]byte, shift), part...))
		out = append(out, b[(shift*8+5)/6:len(b)-1]) // what does not depend on the neighbours
	}
	return out
}

// folder searches every file.
func (s *search) folder(where, dir string, own ...string) {
	s.t.Helper()
	files := 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		body, err := os.ReadFile(path)
		files++
		s.in(where+" "+path, string(body), own...)
		return err
	})
	if err != nil || files == 0 {
		s.t.Errorf("%s: %d files, %v", where, files, err)
	}
}

// report fails the test for all that was found.
func (s *search) report() {
	s.t.Helper()
	for _, f := range s.found {
		s.t.Error(f)
	}
	s.t.Logf("searched %d bytes for %d secrets", s.bytes, len(all()))
}

func TestSearchFindsASecretHoweverItIsWritten(t *testing.T) {
	for _, secret := range all() {
		for _, text := range []string{
			secret, "x" + secret + "y", secret[:shortest], hex.EncodeToString([]byte(secret)), strings.ReplaceAll(secret, "&", "&amp;"),
			base64.StdEncoding.EncodeToString([]byte(secret)), base64.StdEncoding.EncodeToString([]byte("a" + secret)),
			base64.URLEncoding.EncodeToString([]byte("ab" + secret + "c")),
		} {
			s := search{t: t}
			s.in("text", text)
			if len(s.found) != 1 {
				t.Errorf("%q in %q: found %v", secret, text, s.found)
			}
			s = search{t: t}
			s.in("text", text, secret)
			if len(s.found) != 0 {
				t.Errorf("%q may stand in %q, and is found", secret, text)
			}
		}
	}
}
