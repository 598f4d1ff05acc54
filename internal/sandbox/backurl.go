package sandbox

import (
	"html/template"
	"regexp"
	"slices"
	"strings"
)

var scheme = regexp.MustCompile(`^([A-Za-z][A-Za-z0-9+.-]*):.`)

// refusedSchemes run or show in the sandbox's page what the address itself holds; read only.
var refusedSchemes = []string{"javascript", "data", "vbscript", "file", "blob", "filesystem", "about", "view-source", "jar"}

// backLink gives the address to which the page links: a web address, or one with an app's own scheme (myapp://done). It is
// empty if the backURL has no scheme, a refused one, or white space or control characters anywhere: browsers remove some of
// those before they read the scheme.
func backLink(address string) template.URL {
	found := scheme.FindStringSubmatch(address)
	if found == nil || slices.Contains(refusedSchemes, strings.ToLower(found[1])) || strings.ContainsFunc(address, unseen) {
		return ""
	}
	return template.URL(address) // the template still escapes it as an attribute
}

func unseen(r rune) bool {
	return r <= ' ' || r >= 0x7f && r <= 0xa0 || r == 0xfeff || r >= 0x2000 && r <= 0x200f || r >= 0x2028 && r <= 0x202f || r == 0x3000
}
