//! The identity of a service account: a projected token, which the kubelet writes, at STS.

use std::process::{Command, Stdio};

use lyftlearn_conformance::command::Server;
use lyftlearn_conformance::programs;
use serde_json::{Value, json};

use crate::cluster::{Namespace, pod};

/// moto's STS on the node; says whose token came.
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

#[test]
#[ignore = "needs a cluster: make test-kubernetes"]
fn a_service_accounts_token_is_an_identity_at_sts() {
    let python = programs::python_with_servers().unwrap();
    let mut command = Command::new(python);
    let mut sts = Server::answering(command.args(["-c", STS]).stderr(Stdio::null()));
    let endpoint = format!("http://10.199.0.1:{}", sts.line());
    let namespace = Namespace::new("identity");
    namespace.ok(&["create", "serviceaccount", "trainer"]);

    // As EKS's webhook changes a pod.
    let variable = |name: &str, value: &str| json!({"name": name, "value": value});
    let directory = "/var/run/secrets/eks.amazonaws.com/serviceaccount";
    let program = "import lyftlearn_runtime as rt; key = rt.credentials(); \
        print('key', key.access_key, flush=True); import os; \
        print('left', os.environ.get('AWS_ROLE_ARN'), flush=True)";
    let ended = namespace.run(&pod(
        "main",
        &["python3", "-c", program],
        json!({
            "env": [
                variable("AWS_REGION", "eu-west-1"),
                variable("AWS_ROLE_ARN", "arn:aws:iam::111111111111:role/trainer"),
                variable("AWS_WEB_IDENTITY_TOKEN_FILE", &format!("{directory}/token")),
                variable("AWS_ENDPOINT_URL_STS", &endpoint),
            ],
            "volumeMounts": [{"name": "aws-iam-token", "mountPath": directory, "readOnly": true}],
            "securityContext": {"runAsUser": 4242},
        }),
        json!({
            "serviceAccountName": "trainer",
            "volumes": [{"name": "aws-iam-token", "projected": {"sources": [{"serviceAccountToken": {
                "audience": "sts.amazonaws.com", "expirationSeconds": 86400, "path": "token",
            }}]}}],
        }),
    ));
    assert_eq!(ended.exit_code, 0, "{ended:?}");
    assert!(ended.log.contains("key ASIA"), "{ended:?}");
    let claims: Value = serde_json::from_str(&sts.line()).unwrap();
    assert_eq!(claims["aud"], json!(["sts.amazonaws.com"]), "{claims:#}");
    assert_eq!(
        claims["sub"], "system:serviceaccount:identity:trainer",
        "{claims:#}"
    );
    let object = namespace.get("pod/main");
    assert_eq!(
        claims["kubernetes.io"]["pod"]["uid"], object["metadata"]["uid"],
        "{claims:#}"
    );
}
