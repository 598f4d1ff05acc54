package bench

import (
	"strings"
	"testing"
)

// AsProgram makes the test binary the program itself, so that a measurement can start another process of it.
const AsProgram = "SEQRFLOW_BENCH_TEST_AS_PROGRAM"

func TestSandboxThatDoesNotStart(t *testing.T) {
	t.Setenv(AsProgram, "1")
	_, err := spawn(t.Context(), endpointLine, "version")
	if err == nil || !strings.Contains(err.Error(), "without telling its endpoint") {
		t.Errorf("got %v", err)
	}
}
