//! By TLS and by a proxy, as a company's own network has it.

use expect_test::expect;

use super::*;

const ONE: &str = "[secrets.ranking]\nfrom = \"confidant://ranking-prod\"\n";
const TOKEN: &str = "[secrets.token]\nfrom = \"aws-secretsmanager:prod/token\"\n";

fn with_root(servers: &Servers, world: &World, container: Sandbox) -> Sandbox {
    // Bundles hold odd ones.
    let odd = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let root = world.file("root.pem", &format!("{odd}{}", servers.text("root")));
    container.mount_read_only(root, "/etc/root.pem")
}

#[test]
fn confidant_and_aws_are_trusted_by_the_root_that_is_named() {
    needs_namespaces!();
    let servers = servers!();
    let world = World::new();
    let settings = format!("{ONE}{TOKEN}");
    let container = servers
        .container(&world, &settings)
        .variable(
            "LYFTLEARN_RUNTIME_CONFIDANT_URL",
            servers.text("confidant-by-tls"),
        )
        .variable("AWS_ENDPOINT_URL", servers.text("aws-by-tls"));
    let container = with_root(&servers, &world, container);
    let canary = servers.canary.value();
    for (name, others) in [
        ("SSL_CERT_FILE", "/etc/none.pem"),
        // Blank is not set.
        ("AWS_CA_BUNDLE", ""),
    ] {
        let container = container
            .clone()
            .variable("AWS_CA_BUNDLE", others)
            .variable("SSL_CERT_FILE", others)
            .variable(name, "/etc/root.pem");
        let output = ended(&container, SHOW);
        check_end(&output, 0);
        check_variables(
            &output,
            &[("CREDENTIALS_PASSWORD", canary), ("TOKEN", canary)],
        );
    }
    assert_eq!(servers.seen()["wrong"], json!([]));
    assert_eq!(servers.seen()["proxied"], json!([]));
}

/// STS by TLS, for a role that is assumed.
fn by_sts(servers: &Servers, world: &World) -> Sandbox {
    let settings = "[credentials.assume_role]\narn = \"arn:aws:iam::123456789012:role/ranking\"\n";
    let container = servers
        .container(world, settings)
        .variable("AWS_ENDPOINT_URL_STS", servers.text("aws-by-tls"));
    with_root(servers, world, container)
}

fn required(container: Sandbox) -> Sandbox {
    container.variable("LYFTLEARN_RUNTIME_CREDENTIALS_REQUIRED", "true")
}

fn told(container: &Sandbox, word: &str) -> Output {
    container.start(&[BINARY, word].map(OsString::from)).end()
}

#[test]
fn sts_is_trusted_by_the_configured_root_for_every_caller() {
    needs_namespaces!();
    let servers = servers!();
    let world = World::new();
    for name in ["SSL_CERT_FILE", "AWS_CA_BUNDLE"] {
        let container = by_sts(&servers, &world).variable(name, "/etc/root.pem");
        let output = told(&container, "credentials");
        check_end(&output, 0);
        let shown: Value = serde_json::from_slice(&output.stdout).unwrap();
        let key = shown["AccessKeyId"].as_str().unwrap();
        assert!(key.starts_with("ASIA"), "{name}: {key}");
        let output = told(&container, "doctor");
        let shown = String::from_utf8(output.stdout).unwrap();
        let who = "ok    identity   who: arn:aws:sts::123456789012:assumed-role/ranking/";
        assert!(shown.contains(who), "{name}: {shown}");
        // The agent asks by itself, or somebody did before it.
        for container in [container.clone(), required(container.clone())] {
            let output = ended(&container, &[BINARY, "credentials"]);
            check_end(&output, 0);
        }
        let variables = ended(&container, &["env"]);
        let variables = String::from_utf8(variables.stdout).unwrap();
        assert!(variables.contains(&format!("{name}=/etc/root.pem\n")));
        assert_eq!(variables.matches("/etc/root.pem").count(), 1, "{variables}");
    }
    let output = told(&by_sts(&servers, &world), "credentials");
    check_end(&output, 2);
    let said = String::from_utf8_lossy(&output.stderr);
    let why = "cannot call AssumeRole of STS: the certificate of its endpoint is not trusted: add its CA to the file that SSL_CERT_FILE or AWS_CA_BUNDLE names";
    assert!(said.contains(why), "{said}");
}

#[test]
fn invalid_roots_are_reported_at_once() {
    needs_namespaces!();
    let servers = servers!();
    let world = World::new();
    let no_root = world.file("text", "no PEM");
    let settings = format!("[secrets]\ndeadline = 600\n{ONE}{TOKEN}");
    for (name, path, report) in [
        (
            "AWS_CA_BUNDLE",
            "/etc/none.pem",
            expect![[r#"
                lyftlearn-runtime: cannot get credentials from the source static
                  because: AWS_CA_BUNDLE names /etc/none.pem, which does not exist
                  hint: lyftlearn-runtime doctor shows each step of it
                lyftlearn-runtime: cannot start without credentials, which credentials.required demands: the source static returned no credentials
                  because: AWS_CA_BUNDLE names /etc/none.pem, which does not exist
                  hint: lyftlearn-runtime doctor shows each step of it
                lyftlearn-runtime: cannot get the required secrets
                  ranking: AWS_CA_BUNDLE names /etc/none.pem, which does not exist
                  token: AWS_CA_BUNDLE names /etc/none.pem, which does not exist
                  hint: required = false starts without one; lyftlearn-runtime inspect shows which identity asks
                doctor:
                FAIL  identity   credentials: AWS_CA_BUNDLE names /etc/none.pem, which does not exist
                      fix: mount the certificates at the path in the variable, or unset the variable
            "#]],
        ),
        (
            "SSL_CERT_FILE",
            "/etc/text.pem",
            expect![[r#"
                lyftlearn-runtime: cannot get credentials from the source static
                  because: SSL_CERT_FILE names /etc/text.pem, which holds no certificate
                  hint: lyftlearn-runtime doctor shows each step of it
                lyftlearn-runtime: cannot start without credentials, which credentials.required demands: the source static returned no credentials
                  because: SSL_CERT_FILE names /etc/text.pem, which holds no certificate
                  hint: lyftlearn-runtime doctor shows each step of it
                lyftlearn-runtime: cannot get the required secrets
                  ranking: SSL_CERT_FILE names /etc/text.pem, which holds no certificate
                  token: SSL_CERT_FILE names /etc/text.pem, which holds no certificate
                  hint: required = false starts without one; lyftlearn-runtime inspect shows which identity asks
                doctor:
                FAIL  identity   credentials: SSL_CERT_FILE names /etc/text.pem, which holds no certificate
                      fix: mount the certificates at the path in the variable, or unset the variable
            "#]],
        ),
    ] {
        let container = by_sts(&servers, &world)
            .mount_read_only(&no_root, "/etc/text.pem")
            .variable(name, path);
        let names = format!("{name} names {path}, ");
        let asked = stderr(&told(&container, "credentials"));
        let output = ended(&required(container.clone()), &["touch", "/shared/started"]);
        check_end(&output, 125);
        let start = stderr(&output);
        let doctor = String::from_utf8(told(&container, "doctor").stdout).unwrap();
        let seen = doctor.lines().skip_while(|line| !line.contains(&names));
        // Without how long it took.
        let seen = seen.map(|line| line.rsplit_once(" (").map_or(line, |(check, _)| check));
        let seen: Vec<&str> = seen.take(2).collect();
        let container = servers
            .container(&world, &settings)
            .variable("AWS_ENDPOINT_URL", servers.text("aws-by-tls"))
            .mount_read_only(&no_root, "/etc/text.pem")
            .variable(name, path);
        let output = ended(&container, &["true"]);
        check_end(&output, 125);
        let fetching = stderr(&output);
        report.assert_eq(&format!(
            "{asked}{start}{fetching}doctor:\n{}\n",
            seen.join("\n")
        ));
        // What needs no trust goes on.
        let container = (servers.container(&world, TOKEN)).variable(name, "/etc/none.pem");
        check_end(&ended(&container, &["true"]), 0);
    }
    assert!(!world.path("shared/started").exists());
}

#[test]
fn an_untrusted_certificate_is_reported() {
    needs_namespaces!();
    let servers = servers!();
    let world = World::new();
    let settings = format!("[secrets]\ndeadline = 600\n{ONE}{TOKEN}");
    let container = servers
        .container(&world, &settings)
        .variable(
            "LYFTLEARN_RUNTIME_CONFIDANT_URL",
            servers.text("confidant-by-tls"),
        )
        .variable(
            "AWS_ENDPOINT_URL_SECRETS_MANAGER",
            servers.text("aws-by-tls"),
        );
    let output = ended(&container, &["true"]);
    check_end(&output, 125);
    expect![[r#"
        lyftlearn-runtime: cannot get the required secrets
          ranking: the certificate of Confidant is not trusted: add its CA to the file that SSL_CERT_FILE names
          token: the certificate of Secrets Manager is not trusted: add its CA to the file that SSL_CERT_FILE names
          hint: required = false starts without one; lyftlearn-runtime inspect shows which identity asks
    "#]].assert_eq(&stderr(&output));
}

#[test]
fn secrets_manager_is_reached_by_a_proxy_that_sees_nothing_of_it() {
    needs_namespaces!();
    let servers = servers!();
    let world = World::new();
    // No endpoint is named: the address is the service's own.
    let container = servers
        .container(&world, TOKEN)
        .variable("AWS_ENDPOINT_URL", "")
        .variable("HTTPS_PROXY", servers.text("proxy"))
        .variable("AWS_CA_BUNDLE", "/etc/root.pem");
    let container = with_root(&servers, &world, container);
    let output = ended(&container, SHOW);
    check_end(&output, 0);
    let canary = servers.canary.value();
    check_variables(&output, &[("TOKEN", canary)]);
    let seen = servers.seen();
    let heads = seen["proxied"].as_array().unwrap();
    assert_eq!(heads.len(), 1, "{heads:?}");
    let head = heads[0].as_str().unwrap();
    let tunnel = "CONNECT secretsmanager.eu-west-1.amazonaws.com:443 HTTP/1.1\r\n";
    assert!(head.starts_with(tunnel), "{head}");
    assert!(!head.contains("AWS4-HMAC-SHA256"), "{head}");
}
