package certify

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Where the parts of the evidence are in its folder.
const (
	reportJSON      = "report.json"
	reportHTML      = "report.html"
	exchangesFolder = "exchanges"
)

// exchangeOf gives an exchange as the report has it.
func exchangeOf(x *recorded) Exchange {
	e := Exchange{
		N: x.n, Operation: x.Operation, At: x.At.UTC(), Millis: x.Duration.Milliseconds(), HTTPStatus: x.HTTPStatus,
		Outcome: x.Sent.String(), Status: x.response.word("status"), Reference: x.reference(), Error: x.Err,
		RequestFile: fmt.Sprintf("%s/%03d-%s-request.xml", exchangesFolder, x.n, x.Operation), call: x,
	}
	if x.Code != nil {
		e.Code = new(int(*x.Code))
	}
	if len(x.Response) > 0 {
		e.ResponseFile = fmt.Sprintf("%s/%03d-%s-response.xml", exchangesFolder, x.n, x.Operation)
	}
	return e
}

// Prepare makes the folder for the evidence, so that a run does not begin if it cannot be written.
func Prepare(folder string) error { return os.MkdirAll(filepath.Join(folder, exchangesFolder), 0o755) }

// Write writes the evidence into the folder, in place of an earlier run's.
func (r Report) Write(folder string) error {
	if err := Prepare(folder); err != nil {
		return err
	}
	if err := removeExchanges(filepath.Join(folder, exchangesFolder)); err != nil {
		return err
	}
	for _, e := range r.Exchanges {
		if err := write(folder, e.RequestFile, e.call.Request); err != nil {
			return err
		}
		if e.ResponseFile == "" {
			continue
		}
		if err := write(folder, e.ResponseFile, e.call.Response); err != nil {
			return err
		}
	}
	body, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	page, err := r.html()
	if err != nil {
		return err
	}
	return errors.Join(write(folder, reportJSON, append(body, '\n')), write(folder, reportHTML, page))
}

func write(folder, name string, body []byte) error {
	return os.WriteFile(filepath.Join(folder, filepath.FromSlash(name)), body, 0o644)
}

var exchangeFile = regexp.MustCompile(`^\d{3,}-[A-Za-z]+-(request|response)\.xml$`)

// removeExchanges removes an earlier run's exchanges, and no other file.
func removeExchanges(folder string) error {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !e.Type().IsRegular() || !exchangeFile.MatchString(e.Name()) {
			continue
		}
		if err := os.Remove(filepath.Join(folder, e.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

//go:embed report.html
var pageText string

// page parses the template of the report when the first is written.
var page = sync.OnceValue(func() *template.Template {
	return template.Must(template.New("report").Funcs(template.FuncMap{"lines": lines, "numbers": numbers}).Parse(pageText))
})

// section is a test with the messages that it rests on.
type section struct {
	Test
	Texts []*text
}

// text is an exchange with its messages, and the number of further exchanges that are like it.
type text struct {
	Exchange
	Request, Response string
	Alike             int
}

// html renders the report as one page that needs no other file.
func (r Report) html() ([]byte, error) {
	data := struct {
		Report
		Sections []section
	}{Report: r}
	for _, test := range r.Tests {
		data.Sections = append(data.Sections, r.section(test))
	}
	var b bytes.Buffer
	err := page().Execute(&b, data)
	return b.Bytes(), err
}

// section gathers the exchanges of a test's steps, each once, and of those that are alike only the first.
func (r Report) section(t Test) section {
	s := section{Test: t}
	seen := map[int]bool{}
	for _, step := range t.Steps {
		for _, n := range step.Exchanges {
			if seen[n] || n < 1 || n > len(r.Exchanges) {
				continue
			}
			seen[n] = true
			e := r.Exchanges[n-1]
			same := slices.IndexFunc(s.Texts, func(x *text) bool {
				return alike(x.Exchange, e) && bytes.Equal(x.call.Request, e.call.Request)
			})
			if same >= 0 {
				s.Texts[same].Alike++
				continue
			}
			s.Texts = append(s.Texts, &text{Exchange: e, Request: string(e.call.Request), Response: string(e.call.Response)})
		}
	}
	return s
}

// line is one row of the list of all exchanges. Exchanges of one operation and reference that are alike and follow one another are one line.
type line struct {
	Exchange
	To, Times int
}

// lines makes one line of exchanges that repeat. Several invoices are polled at the same time, so exchanges between them that
// are about another invoice do not count.
func lines(all []Exchange) []line {
	var out []line
	last := map[[2]string]int{} // the last line of each operation and reference
	for _, e := range all {
		about := [2]string{e.Operation, e.Reference}
		if n, known := last[about]; known && alike(out[n].Exchange, e) {
			out[n].To, out[n].Times = e.N, out[n].Times+1
			continue
		}
		last[about] = len(out)
		out = append(out, line{e, e.N, 1})
	}
	return out
}

// numbers writes the numbers of exchanges, consecutive ones as a range.
func numbers(list []int) string {
	list = slices.Sorted(slices.Values(list))
	var out []string
	for i := 0; i < len(list); {
		n := i + 1
		for n < len(list) && list[n] == list[n-1]+1 {
			n++
		}
		if n-i > 2 {
			out = append(out, fmt.Sprintf("%d–%d", list[i], list[n-1]))
		} else {
			for _, x := range list[i:n] {
				out = append(out, strconv.Itoa(x))
			}
		}
		i = n
	}
	return strings.Join(out, ", ")
}

func alike(a, b Exchange) bool {
	sameCode := a.Code == b.Code || a.Code != nil && b.Code != nil && *a.Code == *b.Code
	return a.Operation == b.Operation && a.Reference == b.Reference && a.Status == b.Status && sameCode && a.Error == b.Error
}
