package browser

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"
)

// Launch starts Chromium, which ends with the test and leaves nothing behind. The test is skipped where there is none, and fails in CI.
func Launch(t *testing.T, more ...chromedp.ExecAllocatorOption) context.Context {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(chromium(t)), chromedp.NoSandbox,
		chromedp.UserDataDir(t.TempDir()), chromedp.Env("HOME="+t.TempDir()))
	alloc, release := chromedp.NewExecAllocator(context.Background(), append(options, more...)...)
	t.Cleanup(release)
	browser, leave := chromedp.NewContext(alloc)
	t.Cleanup(func() {
		if err := chromedp.Cancel(browser); err != nil {
			t.Errorf("closing the browser: %v", err)
		}
		leave()
	})
	if err := chromedp.Do(browser, chromedp.Navigate("about:blank")); err != nil {
		t.Fatalf("the browser does not start: %v", err)
	}
	return browser
}

func chromium(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	if os.Getenv("CI") == "true" {
		t.Fatal("there is no browser: apt-get install chromium")
	}
	t.Skip("there is no browser: apt-get install chromium")
	return ""
}

// Artifacts is the folder for the pictures of a group of tests. They are kept where SEQRFLOW_ARTIFACTS names a folder, else as
// go test keeps artifacts.
func Artifacts(t *testing.T, group string) string {
	t.Helper()
	dir := os.Getenv("SEQRFLOW_ARTIFACTS")
	if dir == "" {
		return t.ArtifactDir()
	}
	dir = filepath.Join(dir, group)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}
