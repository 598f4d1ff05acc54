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

// A service is often started in another folder than the person who wrote the settings thinks.
func TestANameThatIsNoWholePathIsToldWithItsFolder(t *testing.T) {
	t.Chdir(t.TempDir())
	folder, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	want := "secrets/acme does not exist in " + folder + ", where this process was started: create it, or correct the path"
	if _, err := Text("secrets/acme"); err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("%v; want %s", err, want)
	}
}

func TestTextIsTheSecretWithoutTheLineEnd(t *testing.T) {
	file := filepath.Join(t.TempDir(), "password")
	for body, want := range map[string]string{"secret\n": "secret", " s e \r\n": " s e ", "s": "s", "\ufeffsecret\r\n": "secret", "\ufeffpåssword": "påssword"} {
		if err := os.WriteFile(file, []byte(body), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := Text(file); err != nil || got != want {
			t.Errorf("%q: %q, %v", body, got, err)
		}
	}
	for body, want := range map[string]string{
		"\n": " is empty", "\ufeff\r\n": " is empty",
		"hunter2\nhunter3\n":   " has more than one line: leave only the secret in it",
		"\nhunter2\n":          " has more than one line: leave only the secret in it",
		"\xff\xfeh\x002\x00":   " is no text in UTF-8: save it as UTF-8", // UTF-16, little endian
		"h\x00u\x00n\x00t\x00": " is no text in UTF-8: save it as UTF-8",
	} {
		if err := os.WriteFile(file, []byte(body), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Text(file); err == nil || err.Error() != file+want {
			t.Errorf("%q: %v; want %q", body, err, want)
		}
	}
}

func TestASecretIsMadeOnceForThisUserAlone(t *testing.T) {
	file := filepath.Join(t.TempDir(), "secrets", "key")
	if err := Make(file); err != nil {
		t.Fatal(err)
	}
	first, err := Text(file)
	if err != nil || len(first) != 52 {
		t.Errorf("%d characters, %v", len(first), err)
	}
	for path, want := range map[string]fs.FileMode{file: 0o600, filepath.Dir(file): 0o700 | fs.ModeDir} {
		if info, err := os.Stat(path); err != nil || info.Mode() != want {
			t.Errorf("%s: %v, %v", path, info.Mode(), err)
		}
	}
	if err := Make(file); err != nil {
		t.Error(err)
	}
	if again, err := Text(file); err != nil || again != first {
		t.Errorf("made again: %v", err)
	}
	other := filepath.Join(filepath.Dir(file), "other")
	if err := Make(other); err != nil {
		t.Error(err)
	}
	if second, err := Text(other); err != nil || second == first {
		t.Errorf("two secrets are alike: %v", err)
	}
	if err := Make(filepath.Join(file, "x")); err == nil {
		t.Error("a file below a file: no error")
	}
}
