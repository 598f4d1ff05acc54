package events

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// scenarios are the files that say how an order of theirs has to end, which no attribute of a state can tell.
var scenarios = []string{"internal/demo/", "test/"}

// TestNoOtherCodeListsStates: a function that names two states has a list of states of its own, which a new state would not be
// in. It has to ask the table instead: State.Open, Paid, Ended, or Invoice.Can.
func TestNoOtherCodeListsStates(t *testing.T) {
	names := map[string]bool{}
	f, err := parser.ParseFile(token.NewFileSet(), "state.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(f, func(n ast.Node) bool {
		if spec, ok := n.(*ast.ValueSpec); ok {
			if kind, ok := spec.Type.(*ast.Ident); ok && kind.Name == "State" {
				names[spec.Names[0].Name] = true
			}
		}
		return true
	})
	const root = "../.."
	files := 0
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		rel, _ := filepath.Rel(root, path)
		switch rel = filepath.ToSlash(rel); {
		case err != nil:
			return err
		case d.IsDir() && strings.HasPrefix(d.Name(), ".") && rel != ".":
			return fs.SkipDir
		case d.IsDir() || !strings.HasSuffix(rel, ".go") || strings.HasSuffix(rel, "_test.go"),
			slices.ContainsFunc(scenarios, func(s string) bool { return strings.HasPrefix(rel, s) }):
			return nil
		}
		files++
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return err
		}
		for _, decl := range f.Decls {
			named := map[string]bool{}
			ast.Inspect(decl, func(n ast.Node) bool {
				if s, ok := n.(*ast.SelectorExpr); ok && names[s.Sel.Name] {
					if x, ok := s.X.(*ast.Ident); ok && x.Name == "events" {
						named[s.Sel.Name] = true
					}
				}
				return true
			})
			if len(named) > 1 {
				t.Errorf("%s has a list of states of its own: %v", rel, named)
			}
		}
		return nil
	})
	if err != nil || files < 100 || len(names) < 10 {
		t.Fatalf("%d files, %d states: %v", files, len(names), err)
	}
}
