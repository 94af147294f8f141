//! The outputs of metrics. A route is one output: Kubernetes scrapes metrics, a SageMaker job must
//! push them. Each route has a directory of its own:
//!
//! | file | content | |---|---| | `settings.rs` | its settings and their values | | `plan.rs` |
//! whether the route is used, and everything that sending needs | | `sender.rs` | what the agent
//! runs |
//!
//! Prometheus is not sent anything: its folder has `answer.rs` instead.
//!
//! `routes!` below lists them, and everything about all routes follows from that list. Next to the
//! folders is what routes share. Code elsewhere names a route only where it listens (PID 1 binds
//! Prometheus's port, StatsD's clients are heard here), and in `doctor`, which tries the servers.

#[cfg(all(feature = "agent", feature = "cli"))]
mod deltas;
mod emf;
#[cfg(test)]
#[cfg(all(feature = "agent", feature = "cli"))]
mod fuzz;
#[cfg(all(feature = "agent", feature = "cli"))]
mod interval;
mod labels;
#[cfg(all(feature = "agent", feature = "cli"))]
mod link;
#[cfg(all(feature = "agent", feature = "cli"))]
mod means;
mod number;
#[cfg(all(feature = "agent", feature = "cli"))]
mod observed;
mod otlp;
pub(crate) mod prometheus;
#[cfg(all(feature = "agent", feature = "cli"))]
mod running;
mod sagemaker;
mod server;
mod statsd;

use std::ffi::OsStr;
use std::net::SocketAddr;

use figment::value::Value;
use serde::{Deserialize, Serialize};

#[cfg(all(feature = "agent", feature = "cli"))]
pub(crate) use means::{Losses, Means, Selection};
/// Headers that a server by HTTP is shown, for all that send by it.
pub(crate) use otlp::{VARIABLE_FORM as HEADERS_VARIABLE, headers, variable_name};
#[cfg(all(feature = "agent", feature = "cli"))]
pub(crate) use running::Running;
pub(crate) use server::{Protocol, Server};

use super::clients::{self, Clients};
use crate::facts::Facts;
use crate::layers::{Form, Key, Parsed, Reader, Unset, list, number};
use crate::problems::Problems;
use crate::workload::{Conventions, Job, Platform, Role, Topology};

/// The static description of a route.
pub(crate) struct Route {
    /// As `metrics.routes` and the model name it.
    pub(crate) name: &'static str,
    keys: &'static [Key],
    #[cfg_attr(
        not(all(feature = "agent", feature = "cli")),
        expect(dead_code, reason = "without an agent nothing is sent")
    )]
    pub(crate) loss: Option<Loss>,
}

/// Values that a route had and could not keep or deliver.
#[derive(Clone, Copy)]
#[cfg_attr(
    not(all(feature = "agent", feature = "cli")),
    expect(dead_code, reason = "without an agent nothing is sent")
)]
pub(crate) struct Loss {
    /// The label of the metric that counts them.
    pub(crate) cause: &'static str,
    /// The same for people.
    pub(crate) help: &'static str,
}

/// A route that metrics take, with all that sending them takes. The platform plans it, and the
/// agent sends.
pub(crate) trait Planned {
    /// Its names in the model, if clients are heard where that is wanted.
    fn names(&self) -> Vec<&'static str>;

    /// Whether anything is sent without being asked for.
    fn pushes(&self) -> bool {
        true
    }

    /// Clients of StatsD are heard as `heard` says. Returns whether metrics still take this route.
    fn set_listener(&mut self, _clients: &Clients, _at: ListenAt) -> bool {
        true
    }

    /// Fills in what secrets hold.
    fn reveal(&mut self, _secret: &Secrets<'_>, _problems: &mut Problems) {}

    /// Starts sending; `None` where nothing is sent.
    #[cfg(all(feature = "agent", feature = "cli"))]
    fn start(&self, means: &Means) -> Option<Running>;
}

/// Where clients of StatsD are heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ListenAt {
    #[cfg_attr(
        not(all(feature = "agent", feature = "cli")),
        expect(
            dead_code,
            reason = "without an agent where they will be is never known"
        )
    )]
    Nowhere,
    /// Where they will be is not known yet.
    Somewhere,
    At(u16),
}

/// By the name of a variable: the value that a secret has for it, and whether that overrides what
/// is set.
pub(crate) type Secrets<'a> = dyn Fn(&str) -> Option<(&'a OsStr, bool)> + 'a;

/// What routes are planned from.
pub(crate) struct World<'a> {
    pub(crate) facts: &'a Facts,
    pub(crate) settings: &'a Settings,
    pub(crate) clients: &'a clients::Settings,
    pub(crate) platform: Platform,
    pub(crate) conventions: &'a Conventions,
    pub(crate) role: Role,
    pub(crate) job: &'a Job,
    pub(crate) topology: &'a Topology,
    /// A variable as the program would find it.
    pub(crate) variable: &'a dyn Fn(&str) -> Option<String>,
    /// Whether a secret that is declared for here may set a variable.
    pub(crate) may_be_secret: &'a dyn Fn(&str) -> bool,
}

impl World<'_> {
    /// Whether a setting asks for a route; `None` where no setting says.
    fn asks_for(&self, route: &str) -> Option<bool> {
        let routes = self.settings.routes.as_ref()?;
        Some(routes.iter().any(|asked| asked == route))
    }

    pub(super) fn variable(&self, name: &str) -> Option<String> {
        (self.variable)(name)
    }
}

/// The keys of `[metrics]` that are about all routes.
const KEYS: &[Key] = &[
    Key {
        name: "metrics.routes",
        form: Form::new(EXPECTED),
        default: Unset::Text("depends on the platform and on the other settings of metrics"),
        doc: "Routes that metrics take. If you set it, they take no other route. Only what StatsD clients send to a \
              gateway that the runtime replaces goes there all the same.",
        example: "[\"prometheus\", \"emf\"]",
    },
    Key {
        name: "metrics.labels",
        form: labels::FORM,
        default: Unset::Value("[]"),
        doc: "Properties of the workload to add to every metric as labels. `image` is \
              available only on SageMaker.",
        example: "[\"job\", \"rank\"]",
    },
];

/// The list of all routes. A report on settings has the keys of the first one before those about
/// all routes.
macro_rules! routes {
    ($first:ident $(, $next:ident)* $(,)?) => {
        /// The keys of metrics, in the order of the register.
        pub(crate) const SECTIONS: &[&[Key]] = &[
            super::settings::KEYS,
            super::clients::KEYS,
            $first::ROUTE.keys,
            KEYS,
            $($next::ROUTE.keys,)*
        ];

        const EXPECTED: &str = concat!(
            "a list of ", routes!(@words $first $($next)*), ", such as [\"", stringify!($first), "\"]"
        );

        impl Settings {
            pub(crate) fn read(from: &mut Reader) -> Self {
                Self {
                    $first: $first::Settings::read(from),
                    routes: from.optional("metrics.routes", names),
                    labels: from.value("metrics.labels", labels::parse),
                    $($next: $next::Settings::read(from),)*
                }
            }
        }

        routes!(@each $first $($next)*);
    };
    (@words $last:ident) => { stringify!($last) };
    (@words $a:ident $b:ident) => { concat!(stringify!($a), " and ", stringify!($b)) };
    (@words $a:ident $($more:ident)+) => {
        concat!(stringify!($a), ", ", routes!(@words $($more)+))
    };
    (@each $($route:ident)*) => {
        /// Every route, in the order of the model.
        pub(crate) const ROUTES: &[&Route] = &[$(&$route::ROUTE),*];

        /// The settings of where metrics go.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub(crate) struct Settings {
            /// The routes that are asked for; without it each route decides.
            pub(crate) routes: Option<Vec<String>>,
            /// What of the workload is a label of every metric.
            pub(crate) labels: Vec<String>,
            $(pub(crate) $route: $route::Settings,)*
        }

        /// Every route that metrics take from this container.
        #[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
        pub(crate) struct Export {
            /// The StatsD clients of this container.
            pub(crate) clients: Clients,
            /// Labels of every series.
            pub(crate) labels: Vec<(String, String)>,
            $(pub(crate) $route: Option<$route::Plan>,)*
        }

        impl Export {
            fn planned(world: &World<'_>, clients: Clients, problems: &mut Problems) -> Self {
                Self {
                    $($route: $route::plan(world, &clients, problems),)*
                    labels: labels::of(world),
                    clients,
                }
            }

            fn each(&self) -> impl Iterator<Item = &dyn Planned> {
                let all = [$(self.$route.as_ref().map(|plan| plan as &dyn Planned)),*];
                all.into_iter().flatten()
            }

            /// Drops the routes that `is_kept` returns false for.
            fn retain(&mut self, mut is_kept: impl FnMut(&mut dyn Planned, &Clients) -> bool) {
                $(
                    if let Some(plan) = &mut self.$route
                        && !is_kept(plan, &self.clients)
                    {
                        self.$route = None;
                    }
                )*
            }
        }
    };
}

routes!(prometheus, statsd, sagemaker, emf, otlp);

/// Plans every route.
pub(crate) fn plan(world: &World<'_>, problems: &mut Problems) -> Export {
    let clients = Clients::found(world, problems);
    let export = Export::planned(world, clients, problems);
    problems.extend(statsd::leads_here(world, &export));
    export
}

impl Export {
    /// As the model lists them. Which ports are free is known later: these are the routes if all
    /// are.
    pub(crate) fn names(&self) -> Vec<String> {
        let wanted = self.clone().heard_as_wanted();
        let names = wanted.each().flat_map(Planned::names);
        names.map(str::to_owned).collect()
    }

    /// Whether anything is sent without being asked for.
    #[cfg_attr(not(feature = "cli"), expect(dead_code, reason = "a start needs it"))]
    pub(crate) fn pushes(&self) -> bool {
        self.each().any(Planned::pushes)
    }

    /// Where Prometheus asks.
    #[cfg_attr(not(feature = "cli"), expect(dead_code, reason = "a start needs it"))]
    pub(crate) fn listen(&self) -> Option<SocketAddr> {
        self.prometheus.as_ref().map(|plan| plan.listen)
    }

    /// The same if clients are heard at the port that is wanted for it.
    #[must_use]
    pub(crate) fn heard_as_wanted(self) -> Self {
        let port = self.clients.wanted.filter(|_| self.clients.listened);
        self.listened(port.map_or(ListenAt::Somewhere, ListenAt::At))
    }

    /// The same, now that it is known where clients are heard.
    #[must_use]
    pub(crate) fn listened(mut self, listened: ListenAt) -> Self {
        self.retain(|plan, clients| plan.set_listener(clients, listened));
        self
    }

    /// Fills in what secrets hold.
    #[cfg_attr(not(feature = "cli"), expect(dead_code, reason = "a start needs it"))]
    pub(crate) fn reveal(&mut self, secret: &Secrets<'_>, problems: &mut Problems) {
        self.retain(|plan, _| {
            plan.reveal(secret, problems);
            true
        });
    }

    /// Starts all of them that send.
    #[cfg(all(feature = "agent", feature = "cli"))]
    pub(crate) fn start(&self, means: &Means) -> Vec<Running> {
        self.each().filter_map(|plan| plan.start(means)).collect()
    }
}

/// A list of routes.
fn names(value: &Value) -> Parsed<Vec<String>> {
    let names: Vec<&str> = ROUTES.iter().map(|route| route.name).collect();
    some_of(value, &names, EXPECTED)
}

/// A list of which each is one of these.
fn some_of(value: &Value, of: &[&str], expected: &'static str) -> Parsed<Vec<String>> {
    let words = list(value, expected)?;
    if words.iter().all(|word| of.contains(&word.as_str())) {
        Ok(words)
    } else {
        Err(expected)
    }
}

/// The time between two sends.
const INTERVAL: Form = Form::new("1 to 3600 seconds");

fn interval(value: &Value) -> Parsed<u32> {
    number(value, 1..=3_600, INTERVAL.expected)
}

#[cfg(test)]
mod tests {
    use super::{EXPECTED, ROUTES};

    #[test]
    fn a_route_is_named_after_its_folder_wherever_it_is_named() {
        assert_eq!(
            EXPECTED,
            "a list of prometheus, statsd, sagemaker, emf and otlp, such as [\"prometheus\"]"
        );
        let names: Vec<&str> = ROUTES.iter().map(|route| route.name).collect();
        assert_eq!(names, ["prometheus", "statsd", "sagemaker", "emf", "otlp"]);
    }
}
