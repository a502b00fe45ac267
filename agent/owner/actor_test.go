// SPDX-License-Identifier: Apache-2.0

//go:build linux

package owner_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// An actor is this test binary under another name, playing one part. It writes
// "ready" when it may be talked to, and ends with its standard input.
const partVariable = "NETCINCH_TEST_PART"

func TestMain(m *testing.M) {
	part := os.Getenv(partVariable)
	if part == "" {
		os.Exit(m.Run())
	}
	if err := play(strings.Fields(part)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func play(words []string) error {
	switch words[0] {
	case "dial": // network, address: one exchange, then the end
		conn, err := net.DialTimeout(words[1], words[2], 5*time.Second)
		if err != nil {
			return err
		}
		return exchange(conn)
	case "exec": // executable, part...: becomes another
		return syscall.Exec(words[1], words[1:2], environment(words[2:]))
	case "fork": // executable, part...: has a child do it, which ends before it
		return command(words[1], words[2:]).Run()
	case "thread": // part...: on a thread that is not the process's first one
		return elsewhere(func() error { return play(words[1:]) })
	case "prefork": // network, address: listens, and has a copy of itself accept when it is gone
		return prefork(words[1], words[2])
	case "serve": // network, address
		return serve(words[1], words[2], net.ListenConfig{})
	case "share": // network, address: with others on the same port
		return serve(words[1], words[2], net.ListenConfig{Control: reusePort})
	case "hand": // executable, network, address: listens, and has a child accept
		return hand(words[1], words[2], words[3])
	case "accept": // on descriptor 3
		return accept()
	case "dialled": // network, address: one exchange, and stays
		conn, err := net.Dial(words[1], words[2])
		if err != nil {
			return err
		}
		if err = exchange(conn); err != nil {
			return err
		}
		return wait(conn)
	case "hold": // network, address: keeps a connection open
		conn, err := net.Dial(words[1], words[2])
		if err != nil {
			return err
		}
		return wait(conn)
	}
	return fmt.Errorf("unknown part %q", words)
}

// elsewhere works on a thread that does not lead the process.
func elsewhere(work func() error) error {
	done := make(chan error, 1)
	var try func()
	try = func() {
		runtime.LockOSThread() // never unlocked: the thread ends with its goroutine
		if unix.Gettid() == unix.Getpid() {
			hold := make(chan struct{})
			go func() { try(); close(hold) }()
			<-hold // keeps the first thread
			return
		}
		done <- work()
	}
	go try()
	return <-done
}

// prefork opens a port, copies the process as servers do that fork, and ends;
// the copy answers one connection. In the copy nothing of Go's may be used but
// system calls.
func prefork(network, address string) error {
	l, err := net.Listen(network, address)
	if err != nil {
		return err
	}
	file, err := l.(*net.TCPListener).File()
	if err != nil {
		return err
	}
	fd := file.Fd() // and blocking from here on
	fmt.Println("ready")
	return serveInCopy(fd)
}

//go:norace
//go:noinline
func serveInCopy(fd uintptr) error {
	var buffer [5]byte
	at := uintptr(unsafe.Pointer(&buffer[0]))
	life := [4]int64{2: 60} // struct itimerval: 60 s, once
	child, _, errno := unix.RawSyscall6(unix.SYS_CLONE, uintptr(unix.SIGCHLD), 0, 0, 0, 0, 0)
	if errno != 0 {
		return errno
	}
	if child != 0 {
		return nil
	}
	// Nobody waits for it: a minute is all that it has.
	unix.RawSyscall(unix.SYS_SETITIMER, unix.ITIMER_REAL, uintptr(unsafe.Pointer(&life)), 0)
	conn, _, errno := unix.RawSyscall6(unix.SYS_ACCEPT4, fd, 0, 0, 0, 0, 0)
	if errno == 0 {
		for got := uintptr(0); got < 5; {
			n, _, errno := unix.RawSyscall(unix.SYS_READ, conn, at+got, 5-got)
			if errno != 0 || n == 0 {
				break
			}
			got += n
		}
		unix.RawSyscall(unix.SYS_WRITE, conn, at, 5)
	}
	unix.RawSyscall(unix.SYS_EXIT_GROUP, 0, 0, 0)
	return nil
}

func exchange(conn net.Conn) error {
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return err
	}
	if _, err := conn.Write([]byte("hello")); err != nil {
		return err
	}
	_, err := io.ReadFull(conn, make([]byte, 5))
	return err
}

func wait(c io.Closer) error {
	fmt.Println("ready")
	_, _ = io.Copy(io.Discard, os.Stdin)
	_ = c.Close() // may be closed already
	return nil
}

func reusePort(_, _ string, raw syscall.RawConn) (err error) {
	failed := raw.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1) })
	return errors.Join(failed, err)
}

func serve(network, address string, c net.ListenConfig) error {
	if strings.HasPrefix(network, "udp") {
		conn, err := c.ListenPacket(context.Background(), network, address)
		if err != nil {
			return err
		}
		go answer(conn)
		return wait(conn)
	}
	l, err := c.Listen(context.Background(), network, address)
	if err != nil {
		return err
	}
	go echo(l)
	return wait(l)
}

func answer(conn net.PacketConn) {
	b := make([]byte, 2048)
	for {
		n, from, err := conn.ReadFrom(b)
		if err != nil {
			return
		}
		_, _ = conn.WriteTo(b[:n], from)
	}
}

func echo(l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			_, _ = io.Copy(conn, conn)
			_ = conn.Close()
		}()
	}
}

func hand(executable, network, address string) error {
	l, err := net.Listen(network, address)
	if err != nil {
		return err
	}
	file, err := l.(*net.TCPListener).File()
	if err != nil {
		return err
	}
	child := command(executable, []string{"accept"})
	child.ExtraFiles, child.Stdin, child.Stdout = []*os.File{file}, os.Stdin, os.Stdout
	return child.Run()
}

func accept() error {
	l, err := net.FileListener(os.NewFile(3, "listener"))
	if err != nil {
		return err
	}
	go echo(l)
	return wait(l)
}

// copyOf gives this binary under a name of its own.
func copyOf(tb testing.TB, name string) string {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), name)
	own, err := os.Executable()
	if err != nil {
		tb.Fatal(err)
	}
	if os.Link(own, path) == nil {
		return path
	}
	from, err := os.Open(own)
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = from.Close() }()
	to, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o700)
	if err != nil {
		tb.Fatal(err)
	}
	if _, err = io.Copy(to, from); err != nil {
		tb.Fatal(err)
	}
	if err := to.Close(); err != nil {
		tb.Fatal(err)
	}
	return path
}

// in is a place where processes can be started: a pod or a node.
type in interface{ Do(work func() error) error }

// run has an actor play a part to its end.
func run(tb testing.TB, where in, executable string, part ...string) {
	tb.Helper()
	c := command(executable, part)
	var out []byte
	err := where.Do(func() (err error) { out, err = c.CombinedOutput(); return err })
	if err != nil {
		tb.Fatalf("%s %s: %v: %s", executable, part, err, out)
	}
}

// patience bounds an actor's life, should a test not end it.
const patience = 2 * time.Minute

func command(executable string, part []string) *exec.Cmd {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	_ = cancel // the process ends before, or the context ends it
	c := exec.CommandContext(ctx, executable)
	c.Env = environment(part)
	return c
}

// environment gives an actor its part, and no other.
func environment(part []string) []string {
	all := slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, partVariable+"=") })
	return append(all, partVariable+"="+strings.Join(part, " "))
}

// start has an actor play until the test ends, or stop is called.
func start(tb testing.TB, where in, executable string, part ...string) (stop func()) {
	tb.Helper()
	c := command(executable, part)
	c.Stderr = os.Stderr
	stdin, err := c.StdinPipe()
	if err != nil {
		tb.Fatal(err)
	}
	stdout, err := c.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	if err = where.Do(c.Start); err != nil {
		tb.Fatal(err)
	}
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		_ = stdin.Close()
		if failed := c.Wait(); failed != nil {
			tb.Errorf("%s %s: %v", executable, part, failed)
		}
	}
	tb.Cleanup(stop)
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil || line != "ready\n" {
		tb.Fatalf("%s %s says %s, %v: want ready", executable, part, strconv.Quote(line), err)
	}
	return stop
}
