package sandbox

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
)

const journalName = "effects.jsonl"

// journal is the written memory: one effect a line, appended under the books' lock, made durable after it. Whoever
// waits first writes and syncs for all who have appended by then.
type journal struct {
	file *os.File

	mu       sync.Mutex
	turn     *sync.Cond
	pending  []byte
	appended int64
	durable  int64
	writing  bool
	err      error // for good: after a failed write nothing more can be promised
}

// openJournal replays what is written. A last line that is torn was never answered for, and is cut off.
func openJournal(folder string, replay func(*effect)) (*journal, error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, fmt.Errorf("sandbox data: %w", err)
	}
	file, err := os.OpenFile(filepath.Join(folder, journalName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("sandbox data: %w", err)
	}
	if err := lockFile(file); err != nil {
		return nil, errors.Join(fmt.Errorf("sandbox data: %s is in use by another sandbox: %w", folder, err), file.Close())
	}
	if err := recoverJournal(file, folder, replay); err != nil {
		return nil, errors.Join(fmt.Errorf("sandbox data: %w", err), file.Close())
	}
	j := &journal{file: file}
	j.turn = sync.NewCond(&j.mu)
	return j, nil
}

func recoverJournal(file *os.File, folder string, replay func(*effect)) error {
	good, err := readJournal(file, replay)
	if err != nil {
		return err
	}
	if err := file.Truncate(good); err != nil {
		return err
	}
	if _, err := file.Seek(good, io.SeekStart); err != nil {
		return err
	}
	if err := file.Sync(); err != nil {
		return err
	}
	dir, err := os.Open(folder)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close()) // so that the file itself is found after a power cut
}

// readJournal gives the length of what is whole.
func readJournal(file io.Reader, replay func(*effect)) (int64, error) {
	var good int64
	r := bufio.NewReaderSize(file, 1<<16)
	for number := 1; ; number++ {
		line, err := r.ReadBytes('\n')
		if err == io.EOF {
			return good, nil // whatever is in line has no end: torn
		}
		if err != nil {
			return 0, err
		}
		var e effect
		if err := json.Unmarshal(line, &e); err != nil {
			if _, peek := r.Peek(1); peek == io.EOF {
				return good, nil
			}
			return 0, fmt.Errorf("%s line %d is damaged: %w", journalName, number, err)
		}
		replay(&e)
		good += int64(len(line))
	}
}

// append takes an effect and gives the number to wait for.
func (j *journal) append(e *effect) int64 {
	line, err := json.Marshal(e)
	j.mu.Lock()
	defer j.mu.Unlock()
	if err != nil && j.err == nil {
		j.err = fmt.Errorf("sandbox data: %w", err)
	}
	j.pending = append(append(j.pending, line...), '\n')
	j.appended++
	return j.appended
}

// wait returns when that effect would survive a power cut.
func (j *journal) wait(number int64) error {
	if j == nil || number == 0 {
		return nil
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	for j.durable < number && j.err == nil {
		if j.writing {
			j.turn.Wait()
			continue
		}
		j.flush()
	}
	if j.durable >= number {
		return nil
	}
	return j.err
}

// flush is called with the lock, and lets go of it while it writes.
func (j *journal) flush() {
	batch, upTo := j.pending, j.appended
	j.pending, j.writing = nil, true
	j.mu.Unlock()
	_, err := io.Copy(j.file, bytes.NewReader(batch))
	if err == nil {
		err = j.file.Sync()
	}
	j.mu.Lock()
	j.writing = false
	if err != nil {
		j.err = fmt.Errorf("sandbox data: %w", err)
	} else {
		j.durable = upTo
	}
	j.turn.Broadcast()
}

func (j *journal) close() error {
	if j == nil {
		return nil
	}
	j.mu.Lock()
	last := j.appended
	j.mu.Unlock()
	return errors.Join(j.wait(last), j.file.Close())
}
