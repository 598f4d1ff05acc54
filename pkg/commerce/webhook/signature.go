package webhook

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/seqrflow/seqrflow/pkg/commerce"
)

// tolerance is how far a request's timestamp may be from our clock.
const tolerance = 5 * time.Minute

// minKey is how many bytes a secret must have at least.
const minKey = 24

// keys are the secrets of a connection.
type keys []*standardwebhooks.Webhook

// readKeys reads secrets in base64, with or without whsec_ before it. The error says which one is wrong, and nothing of it.
func readKeys(secrets []string) (keys, error) {
	if len(secrets) == 0 {
		return nil, errors.New("secret_files: expected at least one secret")
	}
	var ks keys
	for i, secret := range secrets {
		key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
		switch {
		case err != nil:
			return nil, fmt.Errorf("secret_files[%d]: expected whsec_ and base64", i)
		case len(key) < minKey:
			return nil, fmt.Errorf("secret_files[%d]: expected at least %d bytes in base64, got %d", i, minKey, len(key))
		}
		k, err := standardwebhooks.NewWebhookRaw(key)
		if err != nil {
			return nil, fmt.Errorf("secret_files[%d]: not a secret", i)
		}
		ks = append(ks, k)
	}
	return ks, nil
}

// verify gives an error that wraps commerce.ErrSignature unless one of the keys has signed the request within the tolerance.
func (ks keys) verify(r commerce.Request) error {
	for _, name := range []string{standardwebhooks.HeaderWebhookID, standardwebhooks.HeaderWebhookTimestamp, standardwebhooks.HeaderWebhookSignature} {
		if r.Header.Get(name) == "" {
			return fmt.Errorf("%w: the header %s is missing", commerce.ErrSignature, name)
		}
	}
	seconds, err := strconv.ParseInt(r.Header.Get(standardwebhooks.HeaderWebhookTimestamp), 10, 64)
	if err != nil {
		return fmt.Errorf("%w: expected %s in seconds since 1970", commerce.ErrSignature, standardwebhooks.HeaderWebhookTimestamp)
	}
	if off := r.At.Sub(time.Unix(seconds, 0)); off.Abs() > tolerance {
		return fmt.Errorf("%w: %s is more than %s off our clock, by %s", commerce.ErrSignature, standardwebhooks.HeaderWebhookTimestamp, tolerance, off.Round(time.Second))
	}
	for _, k := range ks {
		if k.VerifyIgnoringTimestamp(r.Body, r.Header) == nil {
			return nil
		}
	}
	return fmt.Errorf("%w: %s fits none of the %d secrets of the connection", commerce.ErrSignature, standardwebhooks.HeaderWebhookSignature, len(ks))
}

// sign sets the headers of one attempt, signed with every key: the receiver may know only one of them.
func (ks keys) sign(h http.Header, id string, at time.Time, body []byte) error {
	signatures := make([]string, len(ks))
	for i, k := range ks {
		var err error
		if signatures[i], err = k.Sign(id, at, body); err != nil {
			return err
		}
	}
	h.Set(standardwebhooks.HeaderWebhookID, id)
	h.Set(standardwebhooks.HeaderWebhookTimestamp, strconv.FormatInt(at.Unix(), 10))
	h.Set(standardwebhooks.HeaderWebhookSignature, strings.Join(signatures, " "))
	return nil
}
