package broker

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// Names of the files of TLS, in the folder of that name.
const (
	TLSFolder  = "tls"
	CAFile     = "ca.pem"     // the authority's certificate: clients need it
	caKeyFile  = "ca.key"     // signs the server's certificates; there is none for an authority that --tls-from brought
	CertFile   = "server.pem" // the server's certificate, and those between it and the authority
	ServerKey  = "server.key"
	clockSkew  = time.Hour                 // a certificate is valid so long before it is made, for clients whose clock is behind
	validity   = 10 * 365 * 24 * time.Hour // of what is made here, the authority included
	renewAhead = validity / 10             // it is made anew by the first run that finds less than this left
)

// NATSFolder is the folder of a hand-out that is the server's own.
const NATSFolder = "nats"

func (c Config) makesTLS() bool { return c.TLSSelfSigned || c.TLSFrom != "" }

// withCertificatePaths says where the server finds the certificate that this package writes.
func (c Config) withCertificatePaths(dir string) (Config, error) {
	if !c.makesTLS() {
		return c, nil
	}
	if c.TLSCert != "" || c.TLSKey != "" {
		return c, errors.New("--tls-cert and --tls-key name a certificate that you have put there: not with --tls-self-signed or --tls-from")
	}
	at := filepath.Join(dir, TLSFolder)
	if c.HandOut != "" && isFolder(filepath.Join(c.HandOut, NATSFolder)) {
		at = filepath.Join(c.HandOut, NATSFolder)
	}
	at, err := filepath.Abs(at)
	c.TLSCert, c.TLSKey = filepath.Join(at, CertFile), filepath.Join(at, ServerKey)
	return c, err
}

// certificates are the files of TLS as they shall be: what is there and still good, or new. Nil is no TLS of ours.
func (c Config) certificates(dir string, now time.Time) (map[string]string, error) {
	switch {
	case c.TLSFrom != "":
		files, err := readFiles(c.TLSFrom, CAFile, CertFile, ServerKey)
		if err == nil {
			err = checkCertificate(files, c.TLSNames, now)
		}
		if err != nil {
			return nil, fmt.Errorf("--tls-from: %s: %w", c.TLSFrom, err)
		}
		return files, nil
	case !c.TLSSelfSigned:
		return nil, nil
	}
	have, err := readFiles(dir, CAFile, caKeyFile, CertFile, ServerKey)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if have[caKeyFile] == "" && have[CertFile] != "" { // of an authority that we can't sign for
		if err := checkCertificate(have, c.TLSNames, now); err != nil {
			return nil, fmt.Errorf("%s: %w: give a new one with --tls-from", dir, err)
		}
		return have, nil
	}
	return selfSigned(have, c.TLSNames, now)
}

// readFiles reads what there is; the error names what is missing.
func readFiles(dir string, names ...string) (map[string]string, error) {
	files := map[string]string{}
	var errs []error
	for _, name := range names {
		body, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			if !errors.Is(err, fs.ErrNotExist) { // unreadable is not missing: nothing may be made in its place
				return nil, err
			}
			errs = append(errs, err)
			continue
		}
		files[name] = string(body)
	}
	return files, errors.Join(errs...)
}

// checkCertificate fails unless clients that trust the authority accept the server under all of the names.
func checkCertificate(files map[string]string, names []string, now time.Time) error {
	pair, err := tls.X509KeyPair([]byte(files[CertFile]), []byte(files[ServerKey]))
	if err != nil {
		return fmt.Errorf("%s with %s: %w", CertFile, ServerKey, err)
	}
	roots, between := x509.NewCertPool(), x509.NewCertPool()
	if !roots.AppendCertsFromPEM([]byte(files[CAFile])) {
		return fmt.Errorf("%s has no certificate in PEM", CAFile)
	}
	between.AppendCertsFromPEM([]byte(files[CertFile]))
	var errs []error
	for _, name := range names {
		if _, err := pair.Leaf.Verify(x509.VerifyOptions{DNSName: name, Roots: roots, Intermediates: between, CurrentTime: now}); err != nil {
			errs = append(errs, fmt.Errorf("%s as %s: %w", CertFile, name, err))
		}
	}
	return errors.Join(errs...)
}

// selfSigned keeps the authority and the certificate while they are good for another year, and else makes them. A
// new certificate of the authority has the old key, so that clients with the old one go on until it ends.
func selfSigned(have map[string]string, names []string, now time.Time) (map[string]string, error) {
	later := now.Add(renewAhead)
	caKey, err := parseKey(have[caKeyFile])
	if err != nil {
		return nil, fmt.Errorf("%s: %w: remove it for a new authority, which every client then needs", caKeyFile, err)
	}
	ca, err := parseCertificate(have[CAFile])
	if err != nil || caKey == nil || !caKey.PublicKey.Equal(ca.PublicKey) || later.After(ca.NotAfter) {
		template := &x509.Certificate{
			Subject: pkix.Name{CommonName: "seqrflow broker authority"}, IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true,
			KeyUsage: x509.KeyUsageCertSign,
		}
		if caKey, err = orNewKey(caKey); err != nil {
			return nil, err
		}
		if ca, err = sign(template, template, caKey, caKey, now); err != nil {
			return nil, err
		}
	}
	out := map[string]string{CAFile: pemOf("CERTIFICATE", ca.Raw), CertFile: have[CertFile], ServerKey: have[ServerKey]}
	if out[caKeyFile], err = pemOfKey(caKey); err != nil || checkCertificate(out, names, later) == nil {
		return out, err
	}
	key, err := orNewKey(nil)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: names[0]}, KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, name)
		}
	}
	cert, err := sign(template, ca, key, caKey, now)
	if err != nil {
		return nil, err
	}
	out[CertFile] = pemOf("CERTIFICATE", cert.Raw)
	out[ServerKey], err = pemOfKey(key)
	return out, err
}

func sign(template, parent *x509.Certificate, key, by *ecdsa.PrivateKey, now time.Time) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, err
	}
	template.SerialNumber, template.NotBefore, template.NotAfter = serial, now.Add(-clockSkew), now.Add(validity)
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, by)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

func orNewKey(key *ecdsa.PrivateKey) (*ecdsa.PrivateKey, error) {
	if key != nil {
		return key, nil
	}
	return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
}

// parseKey of PEM; none of "".
func parseKey(body string) (*ecdsa.PrivateKey, error) {
	if body == "" {
		return nil, nil
	}
	block, _ := pem.Decode([]byte(body))
	if block == nil {
		return nil, errors.New("no key in PEM")
	}
	return x509.ParseECPrivateKey(block.Bytes)
}

func parseCertificate(body string) (*x509.Certificate, error) {
	block, _ := pem.Decode([]byte(body))
	if block == nil {
		return nil, errors.New("no certificate in PEM")
	}
	return x509.ParseCertificate(block.Bytes)
}

func pemOf(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

func pemOfKey(key *ecdsa.PrivateKey) (string, error) {
	der, err := x509.MarshalECPrivateKey(key)
	return pemOf("EC PRIVATE KEY", der), err
}

// certificates writes the files of TLS. A run that is interrupted leaves what the next one mends: a key before its
// certificate, and no authority's key beside a certificate of another authority.
func (w *writer) certificates(c Config, files map[string]string) {
	if files == nil {
		return
	}
	if !w.dry && w.err == nil {
		w.err = os.MkdirAll(filepath.Join(w.dir, TLSFolder), 0o700)
	}
	if caKey := filepath.Join(TLSFolder, caKeyFile); c.TLSFrom != "" {
		if _, err := os.Stat(w.path(caKey)); err == nil {
			w.do(caKey, Remove, os.Remove)
		}
	} else if files[caKeyFile] != "" {
		w.file(caKey, files[caKeyFile], 0o600)
	}
	w.file(filepath.Join(TLSFolder, CAFile), files[CAFile], 0o644)
	w.file(filepath.Join(TLSFolder, ServerKey), files[ServerKey], 0o600)
	w.file(filepath.Join(TLSFolder, CertFile), files[CertFile], 0o644)
}
