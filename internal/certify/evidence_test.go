package certify

import (
	"html"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// expectNumbers checks that a run that passed has each of the procedure's own steps once, in its order.
func expectNumbers(t *testing.T, rep Report) {
	t.Helper()
	for _, test := range rep.Tests {
		var got, want []string
		for _, s := range test.Steps {
			if s.Number != "" {
				got = append(got, s.Number+" "+s.Name)
			}
		}
		for _, name := range procedureSteps[test.Name] {
			want = append(want, test.number(name)+" "+name)
		}
		if diff := cmp.Diff(want, got); diff != "" || len(want) == 0 {
			t.Errorf("%s: %s", test.Name, diff)
		}
	}
}

func TestStepsHaveTheProceduresNumbers(t *testing.T) {
	status := Test{N: 2, Name: "getPaymentStatus"}
	for step, want := range map[string]string{
		stepUnscanned: "2.1", stepPays: "2.2", stepPaid: "2.3", stepSendAgain: "2.4", stepWait: "2.5", stepLater: "2.6",
		stepSend: "", "clientId names the integrator": "",
	} {
		if got := status.number(step); got != want {
			t.Errorf("%s is %q, want %q", step, got, want)
		}
	}
}

func poll(t *testing.T, n int, reference, version, status string) Exchange {
	t.Helper()
	return exchangeOf(exchange(t, n, "getPaymentStatus",
		"<invoiceReference>"+reference+"</invoiceReference><invoiceVersion>"+version+"</invoiceVersion>", "<status>"+status+"</status>"))
}

// TestRepeatedPollsAreOneLine: also where another invoice is asked about in between.
func TestRepeatedPollsAreOneLine(t *testing.T) {
	all := []Exchange{
		poll(t, 1, "A", "0", "ISSUED"), poll(t, 2, "B", "0", "ISSUED"), poll(t, 3, "A", "0", "ISSUED"), poll(t, 4, "B", "0", "ISSUED"),
		poll(t, 5, "A", "0", "PAID"), poll(t, 6, "B", "0", "ISSUED"), poll(t, 7, "A", "0", "ISSUED"),
	}
	type row struct{ From, To, Times int }
	var got []row
	for _, l := range lines(all) {
		got = append(got, row{l.N, l.To, l.Times})
	}
	if diff := cmp.Diff([]row{{1, 3, 2}, {2, 6, 3}, {5, 5, 1}, {7, 7, 1}}, got); diff != "" {
		t.Error(diff)
	}
}

// TestMessagesAreShownAsTheyWereSent: nothing is laid out anew or cut, and of those that repeat the first is shown.
func TestMessagesAreShownAsTheyWereSent(t *testing.T) {
	long := strings.Repeat("PGI+", 500)
	r := Report{Exchanges: []Exchange{
		poll(t, 1, "A", "0", "ISSUED"), poll(t, 2, "A", "0", "ISSUED"), poll(t, 3, "A", "3", "ISSUED"), poll(t, 4, "A", "0", "ISSUED"),
		exchangeOf(exchange(t, 5, "submitPaymentReceipt", "<receiptDocument>\n <receiptData>"+long+"</receiptData></receiptDocument>", "")),
	}}
	r.Tests = []Test{{N: 2, Name: "getPaymentStatus", Steps: []Step{{Number: "2.1", Name: "x", Exchanges: []int{1, 2, 3, 4}}, {Name: "y", Exchanges: []int{5, 1}}}}}
	page, err := r.html()
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{1, 3, 5} {
		for _, message := range [][]byte{r.Exchanges[n-1].call.Request, r.Exchanges[n-1].call.Response} {
			if !strings.Contains(html.UnescapeString(string(page)), "<pre>"+string(message)+"</pre>") {
				t.Errorf("exchange %d is not shown as it was sent", n)
			}
		}
	}
	for text, times := range map[string]int{"<h3>": 3, "and 2 like it": 1, `<td class="v">2.1</td>`: 1, "<td>1–4</td>": 1, "<td>1, 5</td>": 1} {
		if n := strings.Count(string(page), text); n != times {
			t.Errorf("%q is there %d times, want %d", text, n, times)
		}
	}
}

// TestWebshopWithoutAResellerIsWarned: its terminal closes the period, which an examiner may refuse.
func TestWebshopWithoutAResellerIsWarned(t *testing.T) {
	r := &run{}
	if w := r.warnings(); len(w) != 1 || !strings.Contains(w[0], "no reseller is given") {
		t.Errorf("%q", w)
	}
	r.Provider.Reseller.ID = "r"
	if w := r.warnings(); len(w) != 0 {
		t.Errorf("with a reseller: %q", w)
	}
	page, err := Report{Result: Result{Warnings: []string{noReseller}}}.html()
	if err != nil || !strings.Contains(string(page), "Warning: no reseller is given") {
		t.Errorf("the page has no warning: %v", err)
	}
}
