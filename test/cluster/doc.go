// Package cluster runs the workers on three real brokers and kills the one that leads the stream of
// invoices, then a follower, while orders come in, are paid, returned and canceled, and a shop's system
// is told. Nothing that was acknowledged may be lost, no two events may be decided from the same state,
// nothing is parked, every refund is made, the shop's system hears of every event in order, and the work
// goes on by itself. With -moves, the leaders of all streams and consumers change again and again first.
//
//	go test ./test/cluster -v
//	go test ./test/cluster -v -timeout 20m -args -rate 50 -rounds 5
//	go test ./test/cluster -v -args -moves 500ms
package cluster
