package soap

import (
	"fmt"
	"strings"
	"testing"
)

// TestManyAttributesAndDeclarations: the limits keep the number of comparisons of names in proportion to the length of
// the document. Real answers have a dozen.
func TestManyAttributesAndDeclarations(t *testing.T) {
	numbered := func(format string) func(n int) string {
		return func(n int) string {
			var b strings.Builder
			for i := range n {
				fmt.Fprintf(&b, format, i)
			}
			return b.String()
		}
	}
	attributes, namespaces := numbered(` a%d=""`), numbered(` xmlns:p%d="u"`)
	for name, c := range map[string]struct {
		inside string
		fails  bool
	}{
		"as many attributes as allowed":   {"<a" + attributes(maxAttributes) + "/>", false},
		"one attribute more":              {"<a" + attributes(maxAttributes+1) + "/>", true},
		"as many declarations as allowed": {"<a" + namespaces(maxDeclarations-2) + "/>", false}, // two are the envelope's
		"one declaration more":            {"<a" + namespaces(maxDeclarations-1) + "/>", true},
		"more, but one after another":     {strings.Repeat("<a"+namespaces(40)+"/>", 3), false},
		"more, inside one another":        {"<a" + namespaces(40) + "><b" + namespaces(40) + "/></a>", true},
	} {
		document := `<e:Envelope xmlns:e="` + EnvelopeNamespace + `"><e:Body><benchmarkingNopResponse xmlns="` + ServiceNamespace +
			`"><return><resultCode>0</resultCode>` + c.inside + `</return></benchmarkingNopResponse></e:Body></e:Envelope>`
		if _, err := ReadAnswer(t.Context(), []byte(document), "benchmarkingNop", nil); (err != nil) != c.fails {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzEscape: every text arrives as it was, apart from characters that XML does not allow.
func FuzzEscape(f *testing.F) {
	for _, text := range []string{
		"a<b>&\r\n\x00\xff]]>\uffff", "", "&&&", "<<<", ">>>", "\t\t", "\n\n", "\r\r", "\x1b\x03", "\xe2\xee", "\xf4\x86\xae\xe1", "\xdc0\x00", "\U0001cd29",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		raw := append(append([]byte("<a>"), AppendEscaped(nil, text)...), "</a>"...)
		s, err := newScanner(t.Context(), raw)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.next(); err != nil {
			t.Fatal(err)
		}
		got, err := s.Text()
		want := strings.Map(func(r rune) rune {
			if !isCharacter(r) {
				return '\uFFFD'
			}
			return r
		}, strings.ToValidUTF8(text, "\uFFFD"))
		if err != nil {
			t.Fatal(err)
		}
		if squeeze(got) != squeeze(want) {
			t.Errorf("expected %q, got %q", want, got)
		}
	})
}

// squeeze makes one of several replacement characters: ToValidUTF8 replaces runs of bad bytes by one.
func squeeze(s string) string {
	for strings.Contains(s, "\uFFFD\uFFFD") {
		s = strings.ReplaceAll(s, "\uFFFD\uFFFD", "\uFFFD")
	}
	return s
}
