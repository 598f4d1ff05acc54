package procs

import "syscall"

// attributes has the kernel kill the child when the thread that started it ends, as it does with the
// test, however that ends.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
