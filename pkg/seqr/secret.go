package seqr

import (
	"fmt"
	"io"
	"log/slog"
)

const masked = "***"

// Secret is a password or token. It is printed, logged and marshalled as "***"; only Reveal returns its text. Its zero
// value is an empty password.
type Secret string

// Reveal returns the secret itself.
func (s Secret) Reveal() string { return string(s) }

// String masks the secret.
func (Secret) String() string { return masked }

// Format masks the secret under every verb, also %#v, %x and %d.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, masked) }

// MarshalText masks the secret, also in JSON.
func (Secret) MarshalText() ([]byte, error) { return []byte(masked), nil }

// LogValue masks the secret for log/slog.
func (Secret) LogValue() slog.Value { return slog.StringValue(masked) }
