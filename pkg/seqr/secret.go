package seqr

import (
	"fmt"
	"io"
	"log/slog"
)

const masked = "***"

// Secret is a password or token. However it is printed, logged or marshalled, it shows as "***"; only
// Reveal gives the text.
type Secret string

// Reveal gives the secret itself.
func (s Secret) Reveal() string { return string(s) }

func (Secret) String() string   { return masked }
func (Secret) GoString() string { return masked }

// Format masks the secret under every verb, also %x and %d.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, masked) }

func (Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + masked + `"`), nil }

func (Secret) MarshalText() ([]byte, error) { return []byte(masked), nil }

// LogValue masks the secret for log/slog.
func (Secret) LogValue() slog.Value { return slog.StringValue(masked) }
