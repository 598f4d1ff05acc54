package connections

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/seqrflow/seqrflow/pkg/commerce"
)

// CheckOrigin gives an error unless the text is the origin of a page: scheme and host, nothing more.
func CheckOrigin(raw string) error {
	if err := commerce.CheckEndpoint(raw); err != nil {
		return err
	}
	if u, _ := url.Parse(raw); u.Scheme+"://"+u.Host != raw || strings.ContainsAny(raw, "; ,'\"") {
		return fmt.Errorf("expected an origin such as https://shop.example, got %q", raw)
	}
	return nil
}

// checkBase gives an error unless the text is where buyers reach the gateway. The pages' own links begin at /pay, so that no path may
// come before it.
func checkBase(raw string) error {
	if err := commerce.CheckEndpoint(raw); err != nil {
		return err
	}
	if u, _ := url.Parse(raw); u.Scheme+"://"+u.Host != strings.TrimSuffix(raw, "/") {
		return fmt.Errorf("expected an address without a path, such as https://pay.example.com, got %q", raw)
	}
	return nil
}

// checkSite gives an error unless the text is the address of a site of WordPress, which may be in a folder of its host.
func checkSite(raw string) error {
	if err := commerce.CheckEndpoint(raw); err != nil {
		return err
	}
	switch u, _ := url.Parse(raw); {
	case strings.ContainsAny(raw, "?#"):
		return fmt.Errorf("expected the address of the site, without ? and #, got %q", raw)
	case strings.Contains(u.Path+"/", "/wp-json/"), strings.Contains(u.Path+"/", "/wp-admin/"):
		return fmt.Errorf("expected the address of the site, without /wp-json or /wp-admin, got %q", raw)
	}
	return nil
}
