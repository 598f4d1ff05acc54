package broker

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// settingsLine begins the line of nats.conf that has the settings as JSON, for the next run.
const settingsLine = "# Settings: "

// WithDefaults fills what is not given: with the settings that the folder's nats.conf was written with, or else with the defaults. A
// server must not start with another folder of streams, or without TLS, because a flag was not repeated.
func (c Config) WithDefaults(dir string) (Config, error) {
	last, err := lastSettings(filepath.Join(dir, ConfFile))
	if err != nil {
		return c, err
	}
	c.Listen = cmp.Or(c.Listen, last.Listen, "127.0.0.1:4222")
	c.Monitor = cmp.Or(c.Monitor, last.Monitor)
	c.ServerName = cmp.Or(c.ServerName, last.ServerName, "seqrflow")
	c.StoreDir = cmp.Or(c.StoreDir, last.StoreDir, "/data")
	c.HandOut = cmp.Or(c.HandOut, last.HandOut)
	c.ConnectionsFile = cmp.Or(c.ConnectionsFile, last.ConnectionsFile)
	if len(c.TLSNames) == 0 {
		c.TLSNames = last.TLSNames
	}
	if len(c.TLSNames) == 0 {
		c.TLSNames = []string{"nats", "localhost", "127.0.0.1"}
	}
	if !c.makesTLS() && c.TLSCert == "" && c.TLSKey == "" {
		c.TLSSelfSigned, c.TLSCert, c.TLSKey, c.TLSCA = last.TLSSelfSigned, last.TLSCert, last.TLSKey, cmp.Or(c.TLSCA, last.TLSCA)
	}
	return c, nil
}

// lastSettings are those that the file was written with; none if it is not there, or of a version that did not write them.
func lastSettings(file string) (last Config, err error) {
	if err := checkAuthor(file); err != nil {
		return Config{}, err
	}
	conf, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return Config{}, err
	}
	for line := range strings.Lines(string(conf)) {
		if text, ok := strings.CutPrefix(line, settingsLine); ok {
			if err := json.Unmarshal([]byte(text), &last); err != nil {
				return Config{}, fmt.Errorf("%s: the line %q cannot be read: %w: move the file away, and give every setting again", file, settingsLine, err)
			}
			break
		}
	}
	return last, nil
}

// settings is the line for lastSettings. A certificate that --tls-from has put into the folder is used without that flag from then on.
func (c Config) settings() (string, error) {
	c.TLSSelfSigned = c.makesTLS()
	text, err := json.Marshal(c)
	return settingsLine + string(text), err
}
