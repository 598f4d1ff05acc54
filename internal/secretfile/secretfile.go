// Package secretfile reads files with secrets, and makes them where there is nobody to give them. The error for a file that cannot be
// read names the file, says which user this process runs as, and how to mend it.
package secretfile

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"unicode/utf8"
)

// Read gives the contents of the file. The error never has any of them.
func Read(file string) ([]byte, error) {
	body, err := os.ReadFile(file)
	if err != nil {
		return nil, explain(file, err, os.Geteuid(), ownerOf(file))
	}
	return body, nil
}

// byteOrderMark is what some editors put before a text, where nobody sees it.
const byteOrderMark = "\ufeff"

// Text gives the one line that the file has, without the line ends after it and a byte order mark before it. It is an error that there
// is no line, or more than one, or no text in UTF-8.
func Text(file string) (string, error) {
	body, err := Read(file)
	if err != nil {
		return "", err
	}
	text := strings.TrimRight(strings.TrimPrefix(string(body), byteOrderMark), "\r\n")
	switch {
	case text == "":
		return "", fmt.Errorf("%s is empty", file)
	case !utf8.ValidString(text), strings.ContainsRune(text, 0):
		return "", fmt.Errorf("%s is no text in UTF-8: save it as UTF-8", file)
	case strings.ContainsAny(text, "\r\n"):
		return "", fmt.Errorf("%s has more than one line: leave only the secret in it", file)
	}
	return text, nil
}

// Make makes the file with a random secret of 52 letters and digits, unless it is there. Only this user may read it and a folder
// that is made for it. Two processes must not make the same file at once.
func Make(file string) error {
	if _, err := os.Stat(file); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return err
	}
	made := file + ".new" // a process that dies leaves no file without its secret
	if err := os.WriteFile(made, []byte(rand.Text()+rand.Text()+"\n"), 0o600); err != nil {
		return err
	}
	return os.Rename(made, file)
}

// owner of a file and its mode; unknown where it can't be looked at.
type owner struct {
	known bool
	uid   int
	mode  fs.FileMode
}

// explain adds to the error of a read what mends it.
func explain(file string, err error, uid int, o owner) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		where := ""
		if folder, err := os.Getwd(); err == nil && !filepath.IsAbs(file) {
			where = " in " + folder + ", where this process was started"
		}
		return fmt.Errorf("%s does not exist%s: create it, or correct the path (in a container: mount it there)", file, where)
	case errors.Is(err, syscall.EISDIR):
		return fmt.Errorf("%s is a folder, not a file: a container engine makes one where the file that it should mount is missing; remove it, create the file, and start again", file)
	case !errors.Is(err, fs.ErrPermission):
		return err
	case !o.known:
		return fmt.Errorf("%s can't be read by %s, which this process runs as: a folder above it is closed to that user; mend it with: chmod o+x on each folder above", file, userName(uid))
	}
	return fmt.Errorf("%[1]s can't be read by %[2]s, which this process runs as: it belongs to %[3]s with mode %04[4]o; mend it with: chown %[5]d %[1]s", file, userName(uid), userName(o.uid), o.mode.Perm(), uid)
}

// userName is the user's number, and its name where this machine knows it.
func userName(uid int) string {
	n := strconv.Itoa(uid)
	if u, err := user.LookupId(n); err == nil {
		return "user " + n + " (" + u.Username + ")"
	}
	return "user " + n
}
