package sandbox

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"

	"github.com/gofrs/flock"
)

const journalName = "effects.jsonl"

// journal is the file of all effects, one a line as JSON. append is called while Sandbox.mu is locked and only takes the
// effect; wait writes and syncs, for all effects that were taken by then, when mu is unlocked. A nil journal keeps nothing.
type journal struct {
	mu       sync.Mutex // guards the next three
	pending  []byte
	appended int64
	invalid  error // of encoding an effect; nothing is written from then on

	lock    *flock.Flock // keeps other sandboxes out; the kernel ends it with the process
	writing sync.Mutex   // guards the next three; locked before mu
	file    *os.File
	durable int64
	err     error // of a write; nothing is durable from then on
}

// openJournal replays what is written. A last line without an end was never answered for, and is cut off.
func openJournal(folder string, replay func(*effect)) (*journal, error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, fmt.Errorf("sandbox data: %w", err)
	}
	lock := flock.New(filepath.Join(folder, "lock"), flock.SetPermissions(0o600))
	locked, err := lock.TryLock()
	if err == nil && !locked {
		err = fmt.Errorf("%s is in use by another sandbox", folder)
	}
	if err != nil {
		return nil, fmt.Errorf("sandbox data: %w", err)
	}
	file, err := os.OpenFile(filepath.Join(folder, journalName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("sandbox data: %w", err), lock.Unlock())
	}
	if err := recoverJournal(file, folder, replay); err != nil {
		return nil, errors.Join(fmt.Errorf("sandbox data: %w", err), file.Close(), lock.Unlock())
	}
	return &journal{file: file, lock: lock}, nil
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

// readJournal gives the length of all whole lines.
func readJournal(file io.Reader, replay func(*effect)) (int64, error) {
	var good int64
	r := bufio.NewReaderSize(file, 1<<16)
	for number := 1; ; number++ {
		line, err := r.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return good, nil // the line has no end
		}
		if err != nil {
			return 0, err
		}
		var e effect
		if err := json.Unmarshal(line, &e); err != nil {
			if _, peek := r.Peek(1); errors.Is(peek, io.EOF) {
				return good, nil
			}
			return 0, fmt.Errorf("%s line %d is damaged: %w", journalName, number, err)
		}
		replay(&e)
		good += int64(len(line))
	}
}

// append takes an effect and gives its number, for wait.
func (j *journal) append(e *effect) int64 {
	line, err := json.Marshal(e)
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.invalid == nil {
		j.invalid = err
	}
	j.pending = append(append(j.pending, line...), '\n')
	j.appended++
	return j.appended
}

// wait returns when the effect of that number survives a power cut; 0 is none. Callers wait for one another: the first
// writes what all of them have appended.
func (j *journal) wait(number int64) error {
	if j == nil || number == 0 {
		return nil
	}
	j.writing.Lock()
	defer j.writing.Unlock()
	if j.durable < number && j.err == nil {
		if err := j.write(); err != nil {
			j.err = fmt.Errorf("sandbox data: %w", err)
		}
	}
	if j.durable >= number {
		return nil
	}
	return j.err
}

// write makes everything durable that was appended; writing is locked.
func (j *journal) write() error {
	j.mu.Lock()
	batch, upTo, err := j.pending, j.appended, j.invalid
	j.pending = nil
	j.mu.Unlock()
	if err != nil {
		return err
	}
	if _, err := j.file.Write(batch); err != nil {
		return err
	}
	if err := j.file.Sync(); err != nil {
		return err
	}
	j.durable = upTo
	return nil
}

func (j *journal) close() error {
	if j == nil {
		return nil
	}
	j.mu.Lock()
	last := j.appended
	j.mu.Unlock()
	return errors.Join(j.wait(last), j.file.Close(), j.lock.Unlock())
}
