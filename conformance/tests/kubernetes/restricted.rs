//! Pods in a namespace that admits only restricted ones.

use serde_json::{Value, json};

use crate::cluster::{Namespace, pod};

#[test]
#[ignore = "needs a cluster: make test-kubernetes"]
fn a_restricted_pod_misses_nothing() {
    const PROGRAM: &str = "
import json, os, sys
import lyftlearn_runtime as rt

status = dict(line.split(':\\t', 1) for line in open('/proc/self/status').read().splitlines() if ':\\t' in line)
print('seen', json.dumps({
    'platform': rt.platform, 'id': rt.job.id, 'container': rt.job.container, 'uid': os.getuid(),
    'capabilities': status['CapEff'], 'seccomp': status['Seccomp'], 'no_new_privs': status['NoNewPrivs'],
    'model': os.access(rt.paths.model, os.W_OK) if rt.paths.model else None,
    'root': os.access('/', os.W_OK),
}), flush=True)
sys.exit('no rows')
";
    let namespace = Namespace::new("restricted");
    let label = "pod-security.kubernetes.io/enforce=restricted";
    namespace.ok(&["label", "namespace", namespace.name(), label]);
    let main = pod(
        "main",
        &["python3", "-c", PROGRAM],
        json!({
            "securityContext": {
                "readOnlyRootFilesystem": true, "allowPrivilegeEscalation": false,
                "capabilities": {"drop": ["ALL"]},
            },
            // The exceptions' notes need one directory that can be written.
            "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],
        }),
        json!({
            "volumes": [{"name": "tmp", "emptyDir": {}}],
            "automountServiceAccountToken": false, "enableServiceLinks": false,
            "securityContext": {
                "runAsNonRoot": true, "runAsUser": 1_234_567, "runAsGroup": 7_654_321,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
        }),
    );
    // The namespace does admit nothing else.
    let file = tempfile::NamedTempFile::new().unwrap();
    serde_json::to_writer(&file, &pod("other", &["true"], json!({}), json!({}))).unwrap();
    let refused = namespace.refused(&["create", "--filename", file.path().to_str().unwrap()]);
    assert!(refused.contains("violates PodSecurity"), "{refused}");

    let ended = namespace.run(&main);
    assert_eq!(ended.exit_code, 1, "{ended:?}");
    assert!(ended.message.contains("no rows"), "{ended:?}");
    let seen = ended
        .log
        .lines()
        .find_map(|line| line.strip_prefix("seen "));
    let seen: Value = serde_json::from_str(seen.unwrap()).unwrap();
    let object = namespace.get("pod/main");
    assert_eq!(seen["platform"], "kubernetes", "{ended:?}");
    assert_eq!(seen["id"], object["metadata"]["uid"], "{ended:?}");
    assert_eq!(seen["container"], "main", "{ended:?}");
    assert_eq!(seen["uid"], 1_234_567, "{ended:?}");
    assert_eq!(seen["capabilities"], "0000000000000000", "{ended:?}");
    assert_eq!(
        (&seen["seccomp"], &seen["no_new_privs"]),
        (&json!("2"), &json!("1")),
        "{ended:?}"
    );
    assert_eq!(seen["root"], false, "{ended:?}");
}
