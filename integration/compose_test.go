package integration

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/nats-io/nats-server/v2/server"
	"go.yaml.in/yaml/v3"

	"github.com/swindon-go/swindon/integration/testkit"
)

// loadCompose reads docker-compose.yml with the library of Docker Compose itself: against the Compose schema, with all checks
// between services, networks and volumes.
func loadCompose(t *testing.T) *types.Project {
	t.Helper()
	options, err := cli.NewProjectOptions([]string{filepath.Join(testkit.Root(), "docker-compose.yml")}, cli.WithName("swindon-chat"))
	if err != nil {
		t.Fatal(err)
	}
	project, err := options.LoadProject(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return project
}

// onHost is the file of the repository that a service sees at a path.
func onHost(s types.ServiceConfig, path string) string {
	for _, v := range s.Volumes {
		if v.Type != types.VolumeTypeBind {
			continue
		}
		if rest, ok := strings.CutPrefix(path, v.Target); ok {
			return v.Source + rest
		}
	}
	return path
}

// No Docker engine runs where the tests do. What can be known without one: the file is a valid Compose file, and every service
// has an image that is built here or pulled by a name, mounts what is there, has a health check, and is given a command line and
// a configuration that its program takes.
func TestCompose(t *testing.T) {
	t.Parallel()
	project := loadCompose(t)
	docker, err := os.ReadFile(filepath.Join(testkit.Root(), "Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"chat", "front", "gateway-1", "gateway-2", "nats-1", "nats-2", "nats-3", "pizza"}
	if names := project.ServiceNames(); !slices.Equal(names, want) {
		t.Errorf("services %q, want %q", names, want)
	}
	for name, s := range project.Services {
		t.Run(name, func(t *testing.T) {
			if s.Build != nil && !strings.Contains(string(docker), " AS "+s.Build.Target+"\n") {
				t.Errorf("no target %s in the Dockerfile", s.Build.Target)
			}
			if s.Build == nil && !strings.HasPrefix(s.Image, "nats:") {
				t.Errorf("image %s is neither built nor known", s.Image)
			}
			for _, v := range s.Volumes {
				if _, err := os.Stat(v.Source); v.Type == types.VolumeTypeBind && err != nil {
					t.Errorf("mounts what is not there: %v", err)
				}
			}
			if s.HealthCheck == nil || len(s.HealthCheck.Test) < 3 || !strings.HasSuffix(s.HealthCheck.Test[1], "wget") {
				t.Errorf("health check %v", s.HealthCheck)
			}
			if (name == "front") != (len(s.Ports) > 0) {
				t.Errorf("published ports: %v", s.Ports)
			}
			if _, ok := s.Networks["inside"]; !ok || (name == "front") != (len(s.Networks) > 1) {
				t.Errorf("networks: %v", s.Networks)
			}
			checkCommand(t, s)
		})
	}
	if n := project.Networks["inside"]; !n.Internal {
		t.Error("the inner network is open")
	}
}

// checkCommand runs a service's command line with --check-config, in its environment.
func checkCommand(t *testing.T, s types.ServiceConfig) {
	t.Helper()
	if strings.HasPrefix(s.Image, "nats:") {
		if len(s.Command) != 2 || s.Command[0] != "--config" {
			t.Fatalf("command %q", s.Command)
		}
		checkNATS(t, onHost(s, s.Command[1]), *s.Environment["SERVER_NAME"])
		return
	}
	program := map[string]string{"swindon": "cmd/swindon", "chat": "examples/chat"}[s.Build.Target]
	args := slices.Clone([]string(s.Command))
	for i := range args {
		args[i] = onHost(s, args[i])
	}
	cmd := exec.Command(testkit.Binary(t, program), append(args, "--check-config")...)
	cmd.Dir = t.TempDir()
	for key, value := range s.Environment {
		cmd.Env = append(cmd.Env, key+"="+*value)
	}
	if out, err := cmd.CombinedOutput(); err != nil || strings.Contains(string(out), "WARN") {
		t.Errorf("%q: %v\n%s", args, err, out)
	}
}

func checkNATS(t *testing.T, file, name string) {
	t.Helper()
	t.Logf("%s as %s", file, name)
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	// The name comes from the environment, which a test that runs beside others does not change.
	own := filepath.Join(t.TempDir(), "nats.conf")
	if err := os.WriteFile(own, []byte(strings.ReplaceAll(string(text), "$SERVER_NAME", name)), 0o644); err != nil {
		t.Fatal(err)
	}
	var o server.Options
	if err := o.ProcessConfigFile(own); err != nil {
		t.Fatal(err)
	}
	if o.ServerName != name || len(o.Routes) != 3 || !o.JetStream || o.StoreDir != "/data" {
		t.Errorf("the server is %q with routes %v and store %q", o.ServerName, o.Routes, o.StoreDir)
	}
}

// Services speak to each other by name and port: each such address is a service that listens there.
func TestComposeAddresses(t *testing.T) {
	t.Parallel()
	project := loadCompose(t)
	var front, gateway struct {
		Listen []string
		Pools  map[string]struct{ Listen []string }    `yaml:"session-pools"`
		HTTP   map[string]struct{ Addresses []string } `yaml:"http-destinations"`
		NATS   struct {
			URL      []string
			Replicas int
		}
		Networks map[string][]string
	}
	read(t, filepath.Join(testkit.Root(), "examples/chat/cluster/front.yaml"), &front)
	read(t, filepath.Join(testkit.Root(), "examples/chat/cluster/gateway.yaml"), &gateway)

	if want := "0.0.0.0:" + project.Services["front"].Ports[0].Published; !slices.Contains(front.Listen, want) || project.Services["front"].Ports[0].Target != 8080 {
		t.Errorf("the front listens at %v, published is %+v", front.Listen, project.Services["front"].Ports)
	}
	chat := strings.Join(project.Services["chat"].Command, " ")
	pizza := strings.Join(project.Services["pizza"].Command, " ")
	for what, ok := range map[string]bool{
		"websockets":    slices.Equal(front.HTTP["gateways"].Addresses, on("8080", "gateway-1", "gateway-2")) && gateway.Listen[0] == "0.0.0.0:8080",
		"API":           slices.Equal(front.HTTP["backend-api"].Addresses, on("8081", "gateway-1", "gateway-2")) && gateway.Pools["main"].Listen[0] == "0.0.0.0:8081",
		"backends":      strings.Contains(chat, "-listen 0.0.0.0:8082") && front.HTTP["chat"].Addresses[0] == "chat:8082" && gateway.HTTP["chat"].Addresses[0] == "chat:8082",
		"way back":      strings.Contains(chat, "-api http://backends.internal:8081") && slices.Contains(front.Listen, "0.0.0.0:8081"),
		"alias":         slices.Equal(project.Services["front"].Networks["inside"].Aliases, []string{"backends.internal"}),
		"inner network": slices.Contains(front.Networks["inside"], project.Networks["inside"].Ipam.Config[0].Subnet),
		"NATS":          strings.Contains(pizza, strings.Join(gateway.NATS.URL, ",")) && len(gateway.NATS.URL) == 3 && gateway.NATS.Replicas == 3,
		"instances":     *project.Services["chat"].Deploy.Replicas == 2 && *project.Services["pizza"].Deploy.Replicas == 2,
	} {
		if !ok {
			t.Errorf("%s: the services do not fit together", what)
		}
	}
}

func on(port string, hosts ...string) []string {
	for i := range hosts {
		hosts[i] += ":" + port
	}
	return hosts
}

// The image runs as somebody who is not root, and holds what the health checks call.
func TestDockerfile(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(testkit.Root(), "Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	stages := regexp.MustCompile(`(?m)^FROM (\S+) AS (\S+)$`).FindAllStringSubmatch(string(text), -1)
	if len(stages) == 0 || stages[len(stages)-1][2] != "swindon" {
		t.Fatalf("stages %q", stages)
	}
	base := map[string]string{}
	for _, s := range stages {
		base[s[2]] = s[1]
	}
	for _, target := range []string{"swindon", "chat"} {
		if image := base[base[target]]; !strings.HasSuffix(image, ":nonroot") {
			t.Errorf("%s stands on %s", target, image)
		}
	}
	for _, want := range []string{"CGO_ENABLED=0", "/usr/bin/wget\n", `ENTRYPOINT ["/usr/bin/swindon"]`, "./cmd/swindon"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("no %q in the Dockerfile", want)
		}
	}
	for _, file := range regexp.MustCompile(`COPY (go\.mod) (go\.sum)`).FindStringSubmatch(string(text))[1:] {
		if _, err := os.Stat(filepath.Join(testkit.Root(), file)); err != nil {
			t.Error(err)
		}
	}
}

// The README's configuration is one that swindon takes.
func TestReadmeConfig(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(testkit.Root(), "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(text), "```yaml\n")
	snippet, _, closed := strings.Cut(rest, "```")
	if !ok || !closed {
		t.Fatal("no configuration in README.md")
	}
	file := testkit.New(t).File("swindon.yaml", snippet)
	if out := testkit.Run(t, "--check-config", "--config", file); out.Code != 0 || out.Stderr != "" {
		t.Errorf("status %d: %s", out.Code, out.Stderr)
	}
}

func read(t *testing.T, file string, into any) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, into); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}
