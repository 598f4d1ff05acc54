package secretfile

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestASecretThatCannotBeReadSaysWhichFileWhichUserAndHowToMendIt(t *testing.T) {
	denied := &fs.PathError{Op: "open", Path: "/run/secrets/acme", Err: fs.ErrPermission}
	for _, c := range []struct {
		owner owner
		want  []string
	}{
		{owner{true, 4242424, 0o600}, []string{"/run/secrets/acme can't be read by user 4343434, which this process runs as", "belongs to user 4242424 with mode 0600", "chown 4343434 /run/secrets/acme"}},
		{owner{}, []string{"/run/secrets/acme can't be read by user 4343434", "a folder above it is closed", "chmod o+x"}},
	} {
		got := explain("/run/secrets/acme", denied, 4343434, c.owner).Error()
		for _, want := range c.want {
			if !strings.Contains(got, want) {
				t.Errorf("lacks %q: %s", want, got)
			}
		}
	}
	dir := t.TempDir()
	for file, want := range map[string]string{
		filepath.Join(dir, "absent"): "does not exist: create it, or correct the path",
		dir:                          "is a folder, not a file",
	} {
		if _, err := Read(file); err == nil || !strings.HasPrefix(err.Error(), file+" "+want) {
			t.Errorf("%s: %v", file, err)
		}
	}
}

func TestTextIsTheSecretWithoutTheLineEnd(t *testing.T) {
	file := filepath.Join(t.TempDir(), "password")
	for body, want := range map[string]string{"secret\n": "secret", " s e \r\n": " s e ", "s": "s"} {
		if err := os.WriteFile(file, []byte(body), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := Text(file); err != nil || got != want {
			t.Errorf("%q: %q, %v", body, got, err)
		}
	}
	if err := os.WriteFile(file, []byte("\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Text(file); err == nil || err.Error() != file+" is empty" {
		t.Errorf("an empty file: %v", err)
	}
}
