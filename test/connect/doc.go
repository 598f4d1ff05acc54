// Package connect walks through docs/connect as a shop's owner does: its commands are run, its settings are used, its snippets make the
// links that a buyer follows. The shop is a stand-in (internal/shopsim); everything of seqrflow is one process of "seqrflow up".
package connect
