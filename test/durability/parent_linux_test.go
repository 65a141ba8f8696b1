package durability

import (
	"os"
	"os/exec"
	"runtime"
	"syscall"
)

func dieWithParent() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }

// mountsVariable stands in the environment of a process that has mounts of its own.
const mountsVariable = "ROLEWISE_DURABILITY_MOUNTS"

// inOwnMounts runs the tests in another process, whose mounts nobody else sees and which vanish with it, however it
// ends. Whoever is not root becomes it in a namespace of his own, and so may mount. Where the system does not permit
// that, it is left, and the tests run here.
func inOwnMounts() (code int, done bool) {
	self, err := os.Executable()
	if err != nil || os.Getenv(mountsVariable) != "" {
		return 0, false
	}
	runtime.LockOSThread() // the child dies with the thread
	command := exec.Command(self, os.Args[1:]...)
	command.Env = append(os.Environ(), mountsVariable+"=own")
	command.Stdin, command.Stdout, command.Stderr = os.Stdin, os.Stdout, os.Stderr
	command.SysProcAttr = dieWithParent()
	command.SysProcAttr.Unshareflags = syscall.CLONE_NEWNS
	if user := os.Geteuid(); user != 0 {
		command.SysProcAttr.Cloneflags = syscall.CLONE_NEWUSER
		command.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: user, Size: 1}}
		command.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getegid(), Size: 1}}
	}
	if err := command.Start(); err != nil {
		return 0, false
	}
	if err := command.Wait(); err != nil {
		return max(1, command.ProcessState.ExitCode()), true
	}
	return 0, true
}
