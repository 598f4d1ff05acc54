package woocommerce

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/seqrflow/seqrflow/pkg/commerce"
)

// maxReason is how many characters of a reason a note has.
const maxReason = 300

// note adds a note to the order, unless it has that of this event.
func (d *delivery) note(ctx context.Context, format string, args ...any) commerce.Result {
	known, err := d.noted(ctx)
	switch {
	case err != nil:
		return resultOf(err)
	case known:
		return commerce.Done("the shop was told before")
	}
	return d.addNote(ctx, format, args...)
}

// noted says whether the order has the note of this event.
func (d *delivery) noted(ctx context.Context) (bool, error) {
	var notes []struct {
		Note commerce.Text `json:"note"`
	}
	if _, err := d.Client.call(ctx, "read the order's notes", http.MethodGet, d.path+"/notes", nil, nil, &notes); err != nil {
		return false, err
	}
	for _, n := range notes {
		if strings.Contains(string(n.Note), d.mark()) {
			return true, nil
		}
	}
	return false, nil
}

// mark is how the note of this event is recognised.
func (d *delivery) mark() string { return "[" + d.ID + "]" }

func (d *delivery) addNote(ctx context.Context, format string, args ...any) commerce.Result {
	text := strings.TrimSpace(fmt.Sprintf(format, args...))
	body := map[string]string{"note": text + " " + d.mark()}
	const doing = "add a note to the order"
	var added struct {
		ID commerce.Text `json:"id"`
	}
	a, err := d.Client.call(ctx, doing, http.MethodPost, d.path+"/notes", nil, body, &added)
	if err == nil && added.ID == "" {
		err = failed(doing, a, errors.New("the answer is not a note"))
	}
	if err != nil {
		return resultOf(err)
	}
	r := commerce.Done("a note was added: %s", text)
	r.Code = a.Code
	return r
}

// sentence ends a reason, if there is one, with a full stop. WordPress takes a note as HTML, so signs of tags are left out.
func sentence(reason string) string {
	reason = strings.NewReplacer("<", "", ">", "").Replace(commerce.Clip(reason, maxReason))
	if reason == "" || strings.HasSuffix(reason, ".") {
		return reason
	}
	return reason + "."
}
