package bench

import (
	"strings"
	"testing"
)

// AsProgram is the variable that makes the test binary the program itself, so that a measurement can start another process of it. TestMain
// sets it for the processes that tests start.
const AsProgram = "SEQRFLOW_BENCH_TEST_AS_PROGRAM"

func TestSandboxThatDoesNotStart(t *testing.T) {
	t.Parallel()
	_, err := spawn(t.Context(), endpointLine, "version")
	if err == nil || !strings.Contains(err.Error(), "without telling its endpoint") {
		t.Errorf("got %v", err)
	}
}
