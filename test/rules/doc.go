// Package rules holds the tree to the rules of CONTRIBUTING.md that no compiler checks: which package may use which, and that
// whatever belongs to a new worker is there.
package rules
