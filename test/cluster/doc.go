// Package cluster runs the workers on three real brokers and kills the one that leads the stream of
// invoices, then a follower, while orders come in. Nothing that was acknowledged may be lost, no two
// events may be decided from the same state, and the work goes on by itself.
//
//	go test ./test/cluster -v
//	go test ./test/cluster -v -timeout 20m -args -rate 50 -rounds 5
package cluster
