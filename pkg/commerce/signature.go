package commerce

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
)

// Pinger is an [Inbound] whose system asks, with no signature, whether the URL answers before it sends anything to it. The
// gateway asks IsPing before Verify; to a ping it answers 200 and does nothing else.
type Pinger interface {
	IsPing(Request) bool
}

// SignHMAC sets the named header to what [CheckHMAC] expects of a body that the secret signs.
func SignHMAC(h http.Header, name string, body []byte, secret string) {
	h.Set(name, base64.StdEncoding.EncodeToString(sum(body, secret)))
}

func sum(body []byte, secret string) []byte {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	return mac.Sum(nil)
}

// CheckHMAC gives an error that wraps [ErrSignature] unless the named header is the base64 of the body's HMAC-SHA256 under one
// of the secrets. An empty secret signs nothing. Every comparison takes constant time.
func CheckHMAC(h http.Header, name string, body []byte, secrets []string) error {
	said := h.Get(name)
	if said == "" {
		return fmt.Errorf("%w: the header %s is missing", ErrSignature, name)
	}
	got, err := base64.StdEncoding.DecodeString(said)
	if err != nil {
		return fmt.Errorf("%w: expected base64 in the header %s", ErrSignature, name)
	}
	tried := 0
	for _, secret := range secrets {
		if secret == "" {
			continue
		}
		tried++
		if hmac.Equal(sum(body, secret), got) {
			return nil
		}
	}
	return fmt.Errorf("%w: the header %s fits none of %d secrets", ErrSignature, name, tried)
}
