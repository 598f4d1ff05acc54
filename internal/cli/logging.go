package cli

import (
	"io"
	"time"

	"github.com/rs/zerolog"

	"github.com/seqrflow/seqrflow/internal/cli/term"
)

// logger writes to w at the level and in the format that the settings name.
func logger(w io.Writer, level, format string) (zerolog.Logger, error) {
	l, err := zerolog.ParseLevel(level)
	if err != nil {
		return zerolog.Nop(), wrongUsage("--log-level: %w", err)
	}
	if format == "console" || format == "auto" && term.IsTerminal(w) {
		w = zerolog.ConsoleWriter{Out: w, TimeFormat: time.TimeOnly, NoColor: !bool(term.PaintFor(w))}
	}
	return zerolog.New(w).Level(l).With().Timestamp().Logger(), nil
}
