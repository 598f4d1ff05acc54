package checkout

import (
	"bytes"
	"errors"
	"fmt"
	"image/png"
	"os"
	"strings"

	"github.com/rs/zerolog"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/connections"
	"github.com/seqrflow/seqrflow/internal/orderview"
	"github.com/seqrflow/seqrflow/pkg/events"
)

// Config of the checkout pages.
type Config struct {
	Bus   *bus.Bus
	Hub   *orderview.Hub // which runs
	Links Links
	Shops map[string]Shop // by the shop's subject token; a shop that is not there has its id as its name
	Log   zerolog.Logger

	// TestWallet is the address of a sandbox of the provider; "" is for none. Pages link to the sandbox's own wallet page of the invoice, for
	// a buyer without the app.
	TestWallet string
}

// Shop is how a shop's pages look.
type Shop struct {
	Name      string
	Logo      []byte // SVG or PNG; nil is none
	LogoType  string // "svg" or "png"
	Colour    string // #rrggbb of the main button; "" is the pages' own
	ReturnURL string // back to the shop; {order} and {key} stand for the order's id and the key in the page's URL
	FramedBy  []string
}

// maxLogo is how many bytes a logo may have.
const maxLogo = 256 << 10

// Settings gives what the connections file says of the checkout, with its keys and logos. All errors are reported at once.
func Settings(f connections.File) (Config, error) {
	keys, err := f.Checkout.Key.Read()
	if err != nil {
		return Config{}, fmt.Errorf("checkout.key_file: %w", err)
	}
	var c Config
	c.Links, err = NewLinks(f.Checkout.BaseURL, keys)
	errs := []error{err}
	c.Shops = map[string]Shop{}
	for _, id := range f.Shops() {
		p := f.Connections[id].Page
		s := Shop{Name: p.Name, Colour: p.Colour, ReturnURL: p.ReturnURL, FramedBy: p.FramedBy}
		if p.Logo != "" {
			if s.Logo, s.LogoType, err = readLogo(p.Logo); err != nil {
				errs = append(errs, fmt.Errorf("connections.%s.page.logo_file: %w", id, err))
			}
		}
		if s.Name == "" {
			s.Name = id
		}
		c.Shops[events.Token(id)] = s
	}
	return c, errors.Join(errs...)
}

func readLogo(file string) (body []byte, kind string, err error) {
	body, err = os.ReadFile(file)
	switch {
	case err != nil:
		return nil, "", err
	case len(body) > maxLogo:
		return nil, "", fmt.Errorf("expected at most %d KiB, got %d", maxLogo>>10, len(body)>>10)
	}
	if _, err := png.DecodeConfig(bytes.NewReader(body)); err == nil {
		return body, "png", nil
	}
	if strings.Contains(string(body[:min(len(body), 4096)]), "<svg") {
		return body, "svg", nil
	}
	return nil, "", errors.New("expected an SVG or a PNG")
}
