package checkout

import (
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
)

var placeholder = regexp.MustCompile(`\{[a-z]+\}`)

func TestEveryTextIsThereInEveryLanguage(t *testing.T) {
	for key, row := range texts {
		want := placeholder.FindAllString(row[0], -1)
		slices.Sort(want)
		for i, s := range row {
			got := placeholder.FindAllString(s, -1)
			if slices.Sort(got); s == "" || !slices.Equal(got, want) {
				t.Errorf("%s in %s: %q; expected a text with %v", key, languages[i].Code, s, want)
			}
		}
	}
	for _, s := range States() {
		if _, ok := texts[string(s)]; !ok {
			t.Errorf("state %s has no headline", s)
		}
		if look, ok := looks[s]; !ok || look.sign == "" && s != Scan {
			t.Errorf("state %s is told by colour alone", s)
		}
	}
}

// TestEveryTextIsUsedAndEveryUsedTextIsThere reads the keys out of the sources. What is no key there is none in the table.
func TestEveryTextIsUsedAndEveryUsedTextIsThere(t *testing.T) {
	used := map[string]bool{}
	files, _ := filepath.Glob("*.go")
	for _, name := range append(files, "static/page.html") {
		body, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`(?:\bT|text\([a-z.]+,|say\() ?"([a-z.]+)"`).FindAllStringSubmatch(string(body), -1) {
			if used[m[1]] = true; texts[m[1]] == [6]string{} {
				t.Errorf("%s: there is no text %q", name, m[1])
			}
		}
	}
	for _, s := range States() { // headlines, and texts by the state's name
		used[string(s)], used[string(s)+".text"] = true, true
	}
	for key := range texts {
		if !used[key] {
			t.Errorf("text %q is not used", key)
		}
	}
}

func TestLanguageOfARequest(t *testing.T) {
	for _, c := range []struct{ query, header, want string }{
		{"", "", "en"},
		{"", "fr-FR, *;q=0.1", "en"},
		{"", "fr;q=0.9, fi;q=0.8, en;q=0.7", "fi"},
		{"", "sv-FI", "sv"},
		{"", "no", "nb"},
		{"", "nn-NO, en;q=0.5", "nb"},
		{"", "da-DK,da;q=0.9,en;q=0.8", "da"},
		{"", "de-AT", "de"},
		{"", "; not a language;;q=x", "en"},
		{"lang=de", "sv", "de"},
		{"lang=xx", "sv", "sv"},
	} {
		r := httptest.NewRequest("GET", "/pay/a/b?"+c.query, nil)
		r.Header.Set("Accept-Language", c.header)
		if got := languageOf(r); string(got) != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
}
