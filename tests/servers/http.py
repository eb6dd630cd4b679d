"""Smart HTTP by git's own CGI program, behind lighttpd or nginx, with basic authentication."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from tests.servers.daemons import HOST, Server, find, found, git_program
from tests.support import eventually

USER = "ada"
PASSWORD = "s3cr3t-of-ada"


class HttpServer(Server):
    """What both have in common: one user, and a client that answers for her when it is asked."""

    def url_of(self, repo: Path) -> str:
        return f"http://{HOST}:{self.port}/git/{repo.relative_to(self.folder).as_posix()}"

    def url_with_password(self, repo: Path) -> str:
        """The URL that gives her away."""
        return self.url_of(repo).replace("://", f"://{USER}:{PASSWORD}@", 1)

    def client_config(self) -> str:
        answer = f'!f() {{ test \\"$1\\" != get || printf \\"username={USER}\\\\npassword={PASSWORD}\\\\n\\"; }}; f'
        return f'[credential "http://{HOST}:{self.port}"]\n\thelper = "{answer}"\n'

    def cgi_environment(self) -> dict[str, str]:
        return {**self.environment(), "GIT_PROJECT_ROOT": str(self.folder), "GIT_HTTP_EXPORT_ALL": "1"}


class Lighttpd(HttpServer):
    """lighttpd and git-http-backend."""

    needs: ClassVar[dict[str, str]] = {"lighttpd": "lighttpd"}

    def launch(self) -> None:
        users = self.write("users", f"{USER}:{PASSWORD}\n")
        environment = ", ".join(f'"{name}" => "{value}"' for name, value in self.cgi_environment().items())
        config = self.write(
            "lighttpd.conf",
            f"""server.document-root = "{self.scratch}"
server.bind = "{HOST}"
server.port = {self.port}
server.errorlog = "{self.log}"
server.upload-dirs = ("{self.scratch}")
server.max-worker = 0
server.modules = ("mod_auth", "mod_authn_file", "mod_alias", "mod_setenv", "mod_cgi")
alias.url = ("/git" => "{git_program("git-http-backend")}")
cgi.assign = ("" => "")
setenv.set-environment = ({environment})
auth.backend = "plain"
auth.backend.plain.userfile = "{users}"
auth.require = ("/" => ("method" => "basic", "realm" => "git", "require" => "valid-user"))
""",
        )
        self.run_listener(found("lighttpd"), "-D", "-f", config)


class Nginx(HttpServer):
    """nginx, fcgiwrap and git-http-backend."""

    needs: ClassVar[dict[str, str]] = {"nginx": "nginx-light", "fcgiwrap": "fcgiwrap"}

    def launch(self) -> None:
        users = self.write("users", f"{USER}:{{PLAIN}}{PASSWORD}\n")
        parameters = {
            **self.cgi_environment(),
            "SCRIPT_FILENAME": str(git_program("git-http-backend")),
            "PATH_INFO": "$path",
            "QUERY_STRING": "$query_string",
            "REQUEST_METHOD": "$request_method",
            "CONTENT_TYPE": "$content_type",
            "CONTENT_LENGTH": "$content_length",
            "REMOTE_USER": "$remote_user",
            "GIT_PROTOCOL": "$http_git_protocol",
            "HTTP_CONTENT_ENCODING": "$http_content_encoding",
        }
        lines = "".join(f'    fastcgi_param {name} "{value}";\n' for name, value in parameters.items())
        socket = self.scratch / "cgi.sock"
        places = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        temporary = "".join(f"  {place}_temp_path {self.scratch}/{place};\n" for place in places)
        config = self.write(
            "nginx.conf",
            f"""daemon off;
master_process off;
pid {self.scratch}/nginx.pid;
error_log {self.log};
events {{ }}
http {{
  access_log off;
  client_max_body_size 0;
{temporary}  server {{
    listen {HOST}:{self.port};
    auth_basic git;
    auth_basic_user_file {users};
    location ~ ^/git(?<path>/.*)$ {{
{lines}    fastcgi_pass unix:{socket};
    }}
  }}
}}
""",
        )
        self.run(found("fcgiwrap"), "-c", "8", "-s", f"unix:{socket}")
        eventually(socket.exists, "fcgiwrap has its socket")
        self.run_listener(found("nginx"), "-p", self.scratch, "-e", self.log, "-c", config)


def http_server() -> HttpServer:
    """Whichever is here, the smaller one rather."""
    return Nginx() if find("lighttpd") is None and find("nginx") is not None else Lighttpd()
