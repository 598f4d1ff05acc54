package checkout

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strings"
)

//go:embed static
var staticFiles embed.FS

// assetPath is where files are served. No shop's token is "~".
const assetPath = "/pay/~/"

// assets are the files that pages load, by names that have a hash of their contents: a browser keeps them for ever.
type assets struct {
	byName map[string]asset  // under the name with the hash
	hashed map[string]string // name without to name with the hash
}

type asset struct {
	kind string // its Content-Type
	body []byte
}

var contentTypes = map[string]string{
	".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml", ".png": "image/png",
}

// newAssets holds the embedded files, and for each shop its colours and its logo.
func newAssets(shops map[string]Shop) (assets, error) {
	a := assets{map[string]asset{}, map[string]string{}}
	err := fs.WalkDir(staticFiles, "static", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || contentTypes[path.Ext(name)] == "" {
			return err
		}
		body, err := staticFiles.ReadFile(name)
		a.add(path.Base(name), body)
		return err
	})
	for token, s := range shops {
		if s.Colour != "" {
			a.add(colourFile(token), fmt.Appendf(nil, ":root{--accent:%s;--on-accent:%s}\n", s.Colour, readableOn(s.Colour)))
		}
		if s.Logo != nil {
			a.add(logoFile(token, s), s.Logo)
		}
	}
	return a, err
}

func colourFile(token string) string       { return "shop-" + token + ".css" }
func logoFile(token string, s Shop) string { return "logo-" + token + "." + s.LogoType }

func (a assets) add(name string, body []byte) {
	sum := sha256.Sum256(body)
	ext := path.Ext(name)
	hashed := strings.TrimSuffix(name, ext) + "." + hex.EncodeToString(sum[:8]) + ext
	a.byName[hashed], a.hashed[name] = asset{contentTypes[ext], body}, hashed
}

// url gives the address of a file, "" when there is none of that name.
func (a assets) url(name string) string {
	if hashed := a.hashed[name]; hashed != "" {
		return assetPath + hashed
	}
	return ""
}

// ofOtherCopy gives the name of this copy's file for the name that another copy gives it, "" when there is none: a copy of another
// version, or with other settings, has made the page, while the gateway's copies are replaced one after another.
func (a assets) ofOtherCopy(file string) string {
	ext := path.Ext(file)
	name := strings.TrimSuffix(file, ext)
	if hash := path.Ext(name); hash != "" {
		return a.hashed[strings.TrimSuffix(name, hash)+ext]
	}
	return ""
}

func (a assets) serve(w http.ResponseWriter, r *http.Request) {
	cache := "public, max-age=31536000, immutable"
	f, ok := a.byName[r.PathValue("file")]
	if !ok {
		f, ok = a.byName[a.ofOtherCopy(r.PathValue("file"))]
		cache = "no-store"
	}
	if !ok {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	h.Set("Content-Type", f.kind)
	h.Set("Cache-Control", cache)
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; sandbox") // a logo that is opened by itself runs nothing
	h.Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write(f.body) // a reader that has gone needs no answer
}
