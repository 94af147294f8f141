//! The identity of a service account: a projected token, which the kubelet writes, at STS.

use std::process::{Command, Stdio};
use std::time::Duration;

use lyftlearn_conformance::command::Server;
use lyftlearn_conformance::{programs, wait};
use serde_json::{Value, json};

use crate::cluster::{Namespace, pod};

/// moto's STS on the node. It prints the claims of each token.
const STS: &str = r#"
import base64, io, json, sys, threading
from urllib.parse import parse_qs
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

moto = DomainDispatcherApplication(create_backend_app)

def application(environ, start_response):
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    environ["wsgi.input"] = io.BytesIO(body)
    for token in parse_qs(body.decode()).get("WebIdentityToken", []):
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        print(json.dumps(claims), flush=True)
    return moto(environ, start_response)

server = make_server("10.199.0.1", 0, application, threaded=True)
threading.Thread(target=server.serve_forever, daemon=True).start()
print(server.port, flush=True)
sys.stdin.read()
"#;

/// A pod as EKS's webhook changes it, with a token that lives for so many seconds.
fn with_role(endpoint: &str, seconds: u64, args: &[&str]) -> Value {
    let variable = |name: &str, value: &str| json!({"name": name, "value": value});
    let directory = "/var/run/secrets/eks.amazonaws.com/serviceaccount";
    pod(
        "main",
        args,
        json!({
            "env": [
                variable("AWS_REGION", "eu-west-1"),
                variable("AWS_ROLE_ARN", "arn:aws:iam::111111111111:role/trainer"),
                variable("AWS_WEB_IDENTITY_TOKEN_FILE", &format!("{directory}/token")),
                variable("AWS_ENDPOINT_URL_STS", endpoint),
            ],
            "volumeMounts": [{"name": "aws-iam-token", "mountPath": directory, "readOnly": true}],
            "securityContext": {"runAsUser": 4242},
        }),
        json!({
            "serviceAccountName": "trainer",
            "volumes": [{"name": "aws-iam-token", "projected": {"sources": [{"serviceAccountToken": {
                "audience": "sts.amazonaws.com", "expirationSeconds": seconds, "path": "token",
            }}]}}],
        }),
    )
}

/// STS, and where it is.
fn sts() -> (Server, String) {
    let python = programs::python_with_servers().unwrap();
    let mut command = Command::new(python);
    let mut sts = Server::answering(command.args(["-c", STS]).stderr(Stdio::null()));
    let endpoint = format!("http://10.199.0.1:{}", sts.line());
    (sts, endpoint)
}

fn claims(sts: &mut Server) -> Value {
    serde_json::from_str(&sts.line()).unwrap()
}

#[test]
#[ignore = "needs a cluster: make test-kubernetes"]
fn a_service_accounts_token_is_an_identity_at_sts() {
    let (mut sts, endpoint) = sts();
    let namespace = Namespace::new("identity");
    namespace.ok(&["create", "serviceaccount", "trainer"]);
    let program = "import lyftlearn_runtime as rt; print('key', rt.credentials().access_key)";
    let ended = namespace.run(&with_role(&endpoint, 86_400, &["python3", "-c", program]));
    assert_eq!(ended.exit_code, 0, "{ended:?}");
    assert!(ended.log.contains("key ASIA"), "{ended:?}");
    let claims = claims(&mut sts);
    assert_eq!(claims["aud"], json!(["sts.amazonaws.com"]), "{claims:#}");
    let account = "system:serviceaccount:identity:trainer";
    assert_eq!(claims["sub"], account, "{claims:#}");
    let object = namespace.get("pod/main");
    let uid = &claims["kubernetes.io"]["pod"]["uid"];
    assert_eq!(uid, &object["metadata"]["uid"], "{claims:#}");
}

/// The shortest token lives for ten minutes, and a kubelet renews it after eight.
#[test]
#[ignore = "needs a cluster: make test-kubernetes"]
fn a_token_that_the_kubelet_renews_is_read_again() {
    const EXPIRES: &str = "
import base64, json, os
payload = open(os.environ['AWS_WEB_IDENTITY_TOKEN_FILE']).read().split('.')[1]
print(json.loads(base64.urlsafe_b64decode(payload + '=' * (-len(payload) % 4)))['exp'])
";
    const KEY: &str = "import lyftlearn_runtime as rt; print('key', rt.credentials().access_key)";
    if std::env::var_os("LYFTLEARN_CONFORMANCE_AT_LENGTH").is_none() {
        return;
    }
    let (mut sts, endpoint) = sts();
    let namespace = Namespace::new("renewal");
    namespace.ok(&["create", "serviceaccount", "trainer"]);
    namespace.start(&with_role(&endpoint, 600, &["sleep", "900"]));
    // An `exec` has the pod's variables. Another runtime beside the first has no cached credentials.
    let expires = || namespace.exec("main", "main", &["python3", "-c", EXPIRES]);
    let argv = ["lyftlearn-runtime", "run", "--", "python3", "-c", KEY];
    let ask = || namespace.exec("main", "main", &argv);
    assert!(ask().contains("key ASIA"));
    let first = claims(&mut sts);
    let time = |claims: &Value, name: &str| claims[name].as_i64().unwrap();
    assert_eq!(time(&first, "exp") - time(&first, "iat"), 600);
    let before = expires();
    let renewed = wait::within(Duration::from_secs(600), || {
        std::thread::park_timeout(Duration::from_secs(5));
        (expires() != before).then_some(())
    });
    assert!(renewed.is_some(), "the kubelet does not renew the token");
    assert!(ask().contains("key ASIA"));
    // Requests for the first token may still be among them.
    let renewed = std::iter::repeat_with(|| claims(&mut sts))
        .find(|claims| claims["exp"] != first["exp"])
        .unwrap();
    let age = time(&renewed, "iat") - time(&first, "iat");
    eprintln!("a token of ten minutes was renewed after {age} s");
    assert!((470..=600).contains(&age), "{age}");
}
