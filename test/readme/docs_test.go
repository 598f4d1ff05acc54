package readme

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const root = "../.."

// pages are the documents of the repository, by their path from its root.
func pages(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/connect/*.md", "docs/decisions/*.md"} {
		found, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range found {
			body, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			out[strings.TrimPrefix(filepath.ToSlash(file), root+"/")] = string(body)
		}
	}
	if len(out) < 10 {
		t.Fatalf("only %d documents were found", len(out))
	}
	return out
}

var (
	codeSpan  = regexp.MustCompile("`([^`\\s]+)`")
	functions = regexp.MustCompile("`([^`\\s]+\\.go)`((?:,? `[A-Za-z]\\w*`)+)")
)

// Every path of the repository that a document names exists, and so does every function that is named behind its file.
func TestNamedFilesExist(t *testing.T) {
	documents := pages(t)
	for page, body := range documents {
		named := 0
		if page == "docs/operations.md" {
			continue // it names what an operator makes
		}
		for _, span := range codeSpan.FindAllStringSubmatch(body, -1) {
			first, _, nested := strings.Cut(span[1], "/")
			if _, err := os.Stat(filepath.Join(root, first)); err != nil || first == "" || !nested || strings.ContainsAny(span[1], "<…") {
				continue // a subject, a command or the like
			}
			named++
			if found, err := filepath.Glob(filepath.Join(root, span[1])); err != nil || len(found) == 0 {
				t.Errorf("%s names %s, which does not exist", page, span[1])
			}
		}
		if slices.Contains([]string{"README.md", "CONTRIBUTING.md", "docs/architecture.md"}, page) && named < 3 {
			t.Errorf("%s names only %d paths", page, named)
		}
	}
	for _, m := range functions.FindAllStringSubmatch(documents["docs/architecture.md"], -1) {
		source, err := os.ReadFile(filepath.Join(root, m[1]))
		if err != nil {
			continue // reported above
		}
		for _, name := range codeSpan.FindAllStringSubmatch(m[2], -1) {
			if !regexp.MustCompile(`(?m)^func (\([^)]*\) )?` + name[1] + `[(\[]`).Match(source) {
				t.Errorf("docs/architecture.md names the function %s of %s, which does not exist", name[1], m[1])
			}
		}
	}
}

// Every package folder has a row in the map of docs/architecture.md.
func TestMapNamesEveryPackage(t *testing.T) {
	page := pages(t)["docs/architecture.md"]
	for _, pattern := range []string{"internal/*", "pkg/*"} {
		folders, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, folder := range folders {
			if name := strings.TrimPrefix(filepath.ToSlash(folder), root+"/"); !strings.Contains(page, "`"+name+"`") {
				t.Errorf("docs/architecture.md does not name %s", name)
			}
		}
	}
}

var (
	link    = regexp.MustCompile(`\]\(([^)\s]*)\)`)
	heading = regexp.MustCompile(`(?m)^#+ (.*)$`)
	notSlug = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
)

// No document has an unresolved merge conflict, and every relative link leads to a file that exists and to a heading of it.
func TestDocumentsAreWholeAndTheirLinksResolve(t *testing.T) {
	documents := pages(t)
	for page, body := range documents {
		if strings.Contains(body, "\n<<<<<<< ") || strings.Contains(body, "\n>>>>>>> ") {
			t.Errorf("%s has an unresolved merge conflict", page)
		}
		for _, m := range link.FindAllStringSubmatch(body, -1) {
			file, anchor, _ := strings.Cut(m[1], "#")
			if strings.Contains(file, "://") {
				continue
			}
			target := page
			if file != "" {
				target = filepath.ToSlash(filepath.Join(filepath.Dir(page), file))
			}
			if _, err := os.Stat(filepath.Join(root, target)); err != nil {
				t.Errorf("%s: the link %s leads nowhere", page, m[1])
				continue
			}
			if anchor != "" && !hasHeading(documents[target], anchor) {
				t.Errorf("%s: %s has no heading #%s", page, target, anchor)
			}
		}
	}
}

// hasHeading says whether a document has a heading whose anchor, made as GitHub makes it, is this one.
func hasHeading(body, anchor string) bool {
	for _, m := range heading.FindAllStringSubmatch(body, -1) {
		if strings.ReplaceAll(notSlug.ReplaceAllString(strings.ToLower(m[1]), ""), " ", "-") == anchor {
			return true
		}
	}
	return false
}

var testName = regexp.MustCompile(`\b(?:Test|Fuzz)[A-Z]\w*`)

// Every test that a document names as a proof exists.
func TestNamedTestsExist(t *testing.T) {
	exist := map[string]bool{}
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		source, err := os.ReadFile(path)
		for _, m := range regexp.MustCompile(`(?m)^func (\w+)\(`).FindAllSubmatch(source, -1) {
			exist[string(m[1])] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	named := 0
	for page, body := range pages(t) {
		for _, name := range testName.FindAllString(body, -1) {
			if named++; !exist[name] {
				t.Errorf("%s names %s, which does not exist", page, name)
			}
		}
	}
	if named < 50 {
		t.Errorf("only %d tests are named", named)
	}
}
