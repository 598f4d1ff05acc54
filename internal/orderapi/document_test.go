package orderapi_test

import (
	"bytes"
	"encoding/json"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seqrflow/seqrflow/internal/orderapi"
)

const committed = "../../schemas/openapi.json"

// document gives the OpenAPI document as it is committed.
func document(t *testing.T) []byte {
	t.Helper()
	api, err := orderapi.New(orderapi.Config{})
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(api.Document())
	if err != nil {
		t.Fatal(err)
	}
	var indented bytes.Buffer
	if err := json.Indent(&indented, text, "", "  "); err != nil {
		t.Fatal(err)
	}
	indented.WriteByte('\n')
	return indented.Bytes()
}

func TestTheCommittedDocumentIsThatOfTheCode(t *testing.T) {
	want := document(t)
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(committed, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(committed)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(have), string(want)); diff != "" {
		t.Errorf("schemas/openapi.json drifted; UPDATE=1 go test ./internal/orderapi mends it\n%s", diff)
	}
}
