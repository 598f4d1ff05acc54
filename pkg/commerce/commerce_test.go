package commerce_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/govalues/decimal"

	"github.com/seqrflow/seqrflow/pkg/commerce"
	"github.com/seqrflow/seqrflow/pkg/events"
)

func sign(body, secret string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(body))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

func TestCheckHMAC(t *testing.T) {
	const body = `{"id":1}`
	for _, tc := range []struct {
		name, said string
		secrets    []string
		want       string // "" for accepted
	}{
		{"the only secret", sign(body, "one"), []string{"one"}, ""},
		{"the older of two secrets", sign(body, "old"), []string{"new", "old"}, ""},
		{"another secret", sign(body, "other"), []string{"new", "old"}, "fits none of 2 secrets"},
		{"another body", sign(body+" ", "one"), []string{"one"}, "fits none of 1 secrets"},
		{"no signature", "", []string{"one"}, "the header X-Sig is missing"},
		{"not base64", "§§§", []string{"one"}, "expected base64"},
		{"the empty secret is none", sign(body, ""), []string{""}, "fits none of 0 secrets"},
		{"no secrets", sign(body, ""), nil, "fits none of 0 secrets"},
		{"cut short", base64.StdEncoding.EncodeToString([]byte("short")), []string{"one"}, "fits none"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := http.Header{}
			if tc.said != "" {
				h.Set("X-Sig", tc.said)
			}
			err := commerce.CheckHMAC(h, "X-Sig", []byte(body), tc.secrets)
			switch {
			case tc.want == "" && err != nil:
				t.Errorf("got %v", err)
			case tc.want != "" && (!errors.Is(err, commerce.ErrSignature) || !strings.Contains(err.Error(), tc.want)):
				t.Errorf("got %v, want ErrSignature with %q", err, tc.want)
			case err != nil && tc.said != "" && strings.Contains(err.Error(), sign(body, "one")):
				t.Errorf("the error has the right signature: %v", err)
			}
		})
	}
}

func TestText(t *testing.T) {
	for in, want := range map[string]string{
		`"149.50"`: "149.50", `149.50`: "149.50", `-10`: "-10", `"-0.005"`: "-0.005", `99.4800000000001`: "99.480000",
		`0.0000005`: "0.000001", `"-0.00000049"`: "0.000000",
		`""`: "error", `null`: "error", `1e3`: "error", `"1,50"`: "error", `" 1"`: "error", `true`: "error", `{}`: "error",
		`"99999999999"`: "error", `"+1"`: "error", `"NaN"`: "error",
	} {
		var s commerce.Text
		if err := json.Unmarshal([]byte(in), &s); err != nil {
			t.Fatal(in, err)
		}
		got := "error"
		if d, err := s.Decimal(); err == nil {
			got = d.String()
		}
		if got != want {
			t.Errorf("Decimal of %s: got %s, want %s", in, got, want)
		}
	}
	for in, want := range map[string]string{
		`9007199254740993`: "9007199254740993", `"12"`: "12", `9223372036854775807`: "9223372036854775807",
		`0`: "error", `-1`: "error", `1.0`: "error", `1e9`: "error", `"01"`: "error", `null`: "error", `99999999999999999999`: "error",
	} {
		var s commerce.Text
		if err := json.Unmarshal([]byte(in), &s); err != nil {
			t.Fatal(in, err)
		}
		got, err := s.ID()
		if err != nil {
			got = "error"
		}
		if got != want {
			t.Errorf("ID of %s: got %s, want %s", in, got, want)
		}
	}
}

func TestRoundIsHalfAwayFromZero(t *testing.T) {
	for in, want := range map[string]string{"0.125": "0.13", "0.135": "0.14", "-0.125": "-0.13", "0.1249": "0.12", "2": "2", "-0.001": "0.00", "9.995": "10.00"} {
		if got := commerce.Round(decimal.MustParse(in), 2).String(); got != want {
			t.Errorf("Round(%s): got %s, want %s", in, got, want)
		}
	}
}

func TestDescribed(t *testing.T) {
	for _, tc := range []struct {
		names []string
		want  string
	}{
		{[]string{" Mug\n\tblue  ", "x"}, "Mug blue"},
		{[]string{" \x00\u200a ", "", "SKU-1"}, "SKU-1"},
		{[]string{"☕🎉"}, "☕🎉"},
		{[]string{strings.Repeat("ä", 300)}, strings.Repeat("ä", 199) + "…"},
		{nil, ""},
	} {
		if got := commerce.Described(tc.names...); got != tc.want {
			t.Errorf("Described(%q) = %q, want %q", tc.names, got, tc.want)
		}
	}
}

func rows(totals ...string) (list []events.Row) {
	for _, s := range totals {
		list = append(list, events.Row{Description: "Row", Quantity: decimal.One, Total: amount(s)})
	}
	return list
}

func amount(s string) events.Amount {
	a, err := events.ParseAmount(s)
	if err != nil {
		panic(err)
	}
	return a
}

func TestAddRounding(t *testing.T) {
	for _, tc := range []struct {
		name   string
		rows   []events.Row
		total  string
		digits int
		want   string // the total of the added row; "" for none; or a part of the error
	}{
		{"the sums agree", rows("65.00", "50.00"), "115.00", 2, ""},
		{"a cent more", rows("65.00", "50.00"), "115.01", 2, "0.01"},
		{"a cent less for each row", rows("65.00", "50.00"), "114.98", 2, "-0.02"},
		{"more than a cent for each row", rows("65.00", "50.00"), "115.03", 2, "the 2 rows, 115.00, give or take 0.02 for rounding; got 115.03"},
		{"without decimals", rows("65", "50"), "117", 0, "2"},
		{"without decimals, too much", rows("65", "50"), "118", 0, "give or take 2 for rounding; got 118"},
		{"three decimals", rows("1.000"), "1.001", 3, "0.001"},
		{"no rows", nil, "1.00", 2, "the 0 rows, 0, give or take 0.00 for rounding; got 1.00"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := commerce.AddRounding(tc.rows, amount(tc.total), tc.digits)
			if err != nil {
				var refusal *commerce.Refusal
				if !errors.As(err, &refusal) || tc.want == "" || !strings.Contains(err.Error(), tc.want) {
					t.Errorf("got %v, want %q", err, tc.want)
				}
				return
			}
			added := ""
			for _, r := range got[len(tc.rows):] {
				added += r.Total.String()
			}
			if added != tc.want {
				t.Errorf("added %q, want %q", added, tc.want)
			}
		})
	}
}

func TestCheckNamesTheShopsFields(t *testing.T) {
	o := events.Order{OrderID: "1", Shop: "acme", Currency: "JPY", Total: amount("10.5"), Rows: rows("10.5")}
	o.Rows[0].Description = ""
	err := commerce.Placed(o).Check("acme", func(path string) string { return strings.Replace(path, "rows[", "line_items[", 1) })
	var refusal *commerce.Refusal
	if !errors.As(err, &refusal) || refusal.Order != "1" || refusal.Field != "total" || !strings.Contains(refusal.Expected, "line_items[0].description") {
		t.Errorf("got %#v", err)
	}
	for _, e := range []commerce.Event{
		commerce.Canceled(events.Cancellation{OrderID: "1/ö", Shop: "acme"}),
		commerce.Returned(events.Return{OrderID: "1", Shop: "acme", RefundID: "2"}),
	} {
		if err := e.Check("acme", strings.ToUpper); err != nil {
			t.Error(e.Name, err)
		}
		if err := e.Check("other", strings.ToUpper); err == nil {
			t.Error(e.Name, "accepted for another shop")
		}
	}
}

type doer func(*http.Request) (*http.Response, error)

func (d doer) Do(r *http.Request) (*http.Response, error) { return d(r) }

func answered(code int, body string, header ...string) doer {
	h := http.Header{}
	for i := 0; i < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	return func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: code, Header: h, Body: io.NopCloser(strings.NewReader(body))}, nil
	}
}

func failed(err error) doer {
	return func(r *http.Request) (*http.Response, error) {
		return nil, &url.Error{Op: "Get", URL: r.URL.String(), Err: err}
	}
}

func TestResultOfAnAnswer(t *testing.T) {
	const date = "Thu, 26 Nov 2026 06:00:00 GMT"
	for _, tc := range []struct {
		name  string
		doer  doer
		want  commerce.Status
		after time.Duration
	}{
		{"200", answered(200, "{}"), commerce.Delivered, 0},
		{"301", answered(301, ""), commerce.Refused, 0},
		{"400", answered(400, ""), commerce.Refused, 0},
		{"401", answered(401, ""), commerce.Refused, 0},
		{"403", answered(403, ""), commerce.Refused, 0},
		{"404", answered(404, ""), commerce.Refused, 0},
		{"408", answered(408, ""), commerce.Again, 0},
		{"410", answered(410, ""), commerce.Refused, 0},
		{"422", answered(422, ""), commerce.Refused, 0},
		{"429 with seconds", answered(429, "", "Retry-After", "17"), commerce.Again, 17 * time.Second},
		{"503 with a time", answered(503, "", "Retry-After", "Thu, 26 Nov 2026 06:01:00 GMT", "Date", date), commerce.Again, time.Minute},
		{"503 with a time that is over", answered(503, "", "Retry-After", "Thu, 26 Nov 2026 05:01:00 GMT", "Date", date), commerce.Again, 0},
		{"503 with too long a time", answered(503, "", "Retry-After", "999999"), commerce.Again, 24 * time.Hour},
		{"500 with nonsense", answered(500, "", "Retry-After", "soon"), commerce.Again, 0},
		{"too long an answer", answered(200, strings.Repeat("x", 101)), commerce.Again, 0},
		{"no connection", failed(errors.New("connection refused")), commerce.Again, 0},
		{"out of time", failed(context.DeadlineExceeded), commerce.Again, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://shop.example/?key=canary", http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			a, err := commerce.Ask(tc.doer, r, 100)
			got := commerce.ResultOf("read the order", a, err)
			if got.Status != tc.want || got.After != tc.after || !strings.Contains(got.Detail, "read the order") || strings.Contains(got.Detail, "canary") {
				t.Errorf("got %+v, want %s after %s", got, tc.want, tc.after)
			}
		})
	}
}

func TestAnswerThatIsNotJSON(t *testing.T) {
	a := commerce.Answer{Code: 200, Header: http.Header{"Content-Type": {"text/html"}}, Body: []byte("<p>canary</p>")}
	err := a.JSON(&struct{}{})
	if err == nil || !strings.Contains(err.Error(), `got "text/html"`) || strings.Contains(err.Error(), "canary") {
		t.Errorf("got %v", err)
	}
	if got := fmt.Sprint(commerce.Answer{Body: []byte("{}")}.JSON(&struct{}{})); got != "<nil>" {
		t.Error(got)
	}
}
