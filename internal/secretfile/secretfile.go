// Package secretfile reads files with secrets. The error for a file that cannot be read names the file, says which user this process
// runs as, and how to mend it.
package secretfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"strconv"
	"strings"
	"syscall"
)

// Read gives the contents of the file. The error never has any of them.
func Read(file string) ([]byte, error) {
	body, err := os.ReadFile(file)
	if err != nil {
		return nil, explain(file, err, os.Geteuid(), ownerOf(file))
	}
	return body, nil
}

// Text gives the contents of the file without the line ends after them. That there are none is an error.
func Text(file string) (string, error) {
	body, err := Read(file)
	if err != nil {
		return "", err
	}
	text := strings.TrimRight(string(body), "\r\n")
	if text == "" {
		return "", fmt.Errorf("%s is empty", file)
	}
	return text, nil
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
		return fmt.Errorf("%s does not exist: create it, or correct the path (in a container: mount it there)", file)
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
