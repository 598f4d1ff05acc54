// Package browser is what the tests in Chromium have in common: starting it, and pictures of pages.
package browser

import (
	"context"
	"os"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/seqrflow/seqrflow/internal/rig"
)

// Picture writes a PNG of the whole page of the tab, which is a context of chromedp, to the file. A page that is still being laid out, and so has no width, is waited for.
func Picture(t testing.TB, tab context.Context, file string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(tab, rig.Patience)
	defer cancel()
	var png []byte
	missing := rig.Until(ctx, func(context.Context) string {
		var err error
		if png, err = chromedp.Run(ctx, chromedp.FullScreenshot(100)); err != nil {
			return err.Error()
		}
		return ""
	})
	if missing != "" || len(png) == 0 {
		t.Fatalf("a picture of %d bytes: %s", len(png), missing)
	}
	if err := os.WriteFile(file, png, 0o644); err != nil {
		t.Fatal(err)
	}
}
