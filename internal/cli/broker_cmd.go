package cli

type brokerCmd struct {
	Config   brokerConfigCmd   `cmd:"" help:"Write a NATS server configuration with a user and a key for each process."`
	Apply    brokerApplyCmd    `cmd:"" help:"Make the streams and consumers that the workers need."`
	Restored brokerRestoredCmd `cmd:"" help:"Say that the broker was restored from a backup: nothing that may have been paid since is paid again."`
}
