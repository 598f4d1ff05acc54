package commerce_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seqrflow/seqrflow/pkg/commerce"
)

func TestOnlyWhatIsReadIsKept(t *testing.T) {
	type line struct {
		Name commerce.Text   `json:"name"`
		Tip  json.RawMessage `json:"tip"`
	}
	type order struct {
		ID    commerce.Text `json:"id"`
		Key   commerce.Text `json:"order_key" known:"-"`
		Lines []line        `json:"lines"`
		Sum   *struct {
			Amount string `json:"amount"`
		} `json:"sum"`
		Tags []string `json:"tags"`
	}
	type refund struct {
		Order commerce.Text `json:"order_id"`
	}
	for _, c := range []struct{ name, body, want string }{
		{"known and unknown fields", `{"id":9007199254740993,"email":"a@b.example","billing":{"id":"x"},"lines":[{"name":"Tee","note":"n"}]}`, `{"id":9007199254740993,"lines":[{"name":"Tee"}]}`},
		{"a field that is not to be kept", `{"id":"1","order_key":"wc_order_1"}`, `{"id":"1"}`},
		{"another payload's field", `{"order_id":7}`, `{"order_id":7}`},
		{"through a pointer", `{"sum":{"amount":"1.00","who":"x"}}`, `{"sum":{"amount":"1.00"}}`},
		{"an object where a text is read", `{"id":{"name":"Anna"}}`, `{"id":{}}`},
		{"an object that is only looked at", `{"lines":[{"tip":{"from":"Anna"}}]}`, `{"lines":[{"tip":{}}]}`},
		{"a text where a list is read", `{"lines":"Anna"}`, `{}`},
		{"a list where an object is read", `{"sum":["Anna"]}`, `{}`},
		{"a list of texts", `{"tags":["a",1]}`, `{"tags":["a",1]}`},
		{"null", `{"sum":null,"id":null}`, `{"id":null}`},
		{"a text alone", `"Anna"`, ``},
		{"no JSON", `Anna`, ``},
		{"nothing", ``, ``},
	} {
		if diff := cmp.Diff(c.want, string(commerce.Known([]byte(c.body), order{}, &refund{}))); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
}
