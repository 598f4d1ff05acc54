package sandbox

import (
	"html/template"
	"regexp"
	"slices"
	"strings"
)

var scheme = regexp.MustCompile(`^([A-Za-z][A-Za-z0-9+.-]*):.`)

// refusedSchemes run or show what the address itself holds, in the sandbox's page; read only.
var refusedSchemes = []string{"javascript", "data", "vbscript", "file", "blob", "filesystem", "about", "view-source", "jar"}

// backLink is the backURL as the page links to it: a web address or an app's own scheme (myapp://done). It is empty for what has no
// scheme, a refused one, or white space or control characters anywhere: browsers take some of those out before they read the scheme.
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
