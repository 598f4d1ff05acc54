package checkout

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// While copies of the gateway are replaced one after another, a page of one may load its files from another. Without its script and its
// style the page would stand still. A browser must not keep such an answer under the other copy's name.
func TestFilesOfAPageOfAnotherCopy(t *testing.T) {
	copyWith := func(colour string) assets {
		a, err := newAssets(map[string]Shop{"acme": {Colour: colour}})
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	get := func(a assets, address string) *httptest.ResponseRecorder {
		r, w := httptest.NewRequestWithContext(t.Context(), http.MethodGet, address, nil), httptest.NewRecorder()
		mux := http.NewServeMux()
		mux.HandleFunc("GET "+assetPath+"{file}", a.serve)
		mux.ServeHTTP(w, r)
		return w
	}
	one, other := copyWith("#ffffff"), copyWith("#000000")
	address := one.url(colourFile("acme"))
	if own := get(one, address); own.Code != http.StatusOK || !strings.Contains(own.Header().Get("Cache-Control"), "immutable") {
		t.Errorf("its own: %d %v", own.Code, own.Header())
	}
	if w := get(other, address); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "#000000") || w.Header().Get("Content-Type") != contentTypes[".css"] || w.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("of another copy: %d %v\n%s", w.Code, w.Header(), w.Body)
	}
	for _, name := range []string{"shop-other.0123456789abcdef.css", "page.0123456789abcdef.html", "shop-acme.css", "x"} {
		if w := get(one, assetPath+name); w.Code != http.StatusNotFound {
			t.Errorf("%s: %d", name, w.Code)
		}
	}
}
