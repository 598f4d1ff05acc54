package bus

// Subjects outside of JetStream, which no stream keeps. A message on them may be lost.
const (
	HintSubjects     = "hints.*.*"  // [Bus.Hint]
	IssuedSubjects   = "issued.*.*" // [Bus.HintIssued]
	WatchingSubjects = watchingPrefix + "*"
)
