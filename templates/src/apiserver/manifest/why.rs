//! Why a manifest is left alone.

/// The place in a manifest that quorate does not understand, or cannot edit without changing what is not its own.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {why}")]
pub struct NotUnderstood {
    /// The line, from 1.
    pub line: usize,
    /// What is there.
    pub why: Why,
}

/// What is not understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Why {
    /// The parser gives up; its words.
    #[error("this is not YAML: {0}")]
    NotYaml(String),
    /// The kubelet reads YAML 1.1, in which these end a line, and a comment with it.
    #[error("U+{0:04X} ends a line for the kubelet, but not for most editors")]
    LineBreak(u32),
    /// More than one document.
    #[error("a second document starts here, and the kubelet reads only the first")]
    SecondDocument,
    /// Another kind of object, or none.
    #[error("this is not a Pod")]
    NotAPod,
    /// Another document, or a version of it that quorate does not know.
    #[error("this is not a ClusterConfiguration of kubeadm, v1beta3 or v1beta4")]
    NotOfKubeadm,
    /// kubeadm runs the etcd itself.
    #[error("kubeadm runs the etcd of this cluster: `etcd` has no `external`")]
    Stacked,
    /// A part that every Pod has.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// A part has another shape.
    #[error("{key} is not a {wanted}")]
    Kind {
        /// The part.
        key: &'static str,
        /// The shape that it should have.
        wanted: &'static str,
    },
    /// A key, or a container, that may be there once.
    #[error("{0} is given twice")]
    Twice(&'static str),
    /// A merge key of YAML 1.1.
    #[error("`<<` merges another mapping into this one")]
    Merge,
    /// A part that would be edited elsewhere.
    #[error("{0} is an alias of another part of the manifest")]
    Alias(&'static str),
    /// A part whose edit would also change another part.
    #[error("an alias repeats this elsewhere in the manifest")]
    Repeated,
    /// Which container is meant is unknown.
    #[error("no container is named kube-apiserver")]
    NoContainer,
    /// A shell or another wrapper. Its words may hold a secret.
    #[error("the container starts another program than kube-apiserver")]
    Program,
    /// Kubernetes puts the value of a variable there.
    #[error("a variable gives this argument, so which flag it sets is unknown")]
    Variable,
    /// A list or a mapping among the arguments.
    #[error("an argument of kube-apiserver is not text")]
    NotText,
    /// What follows is no flag.
    #[error("`--` ends the flags here")]
    EndOfFlags,
    /// A word that kube-apiserver would refuse, or that quorate does not know. It may be a secret.
    #[error("this argument is not a flag")]
    NotAFlag,
    /// A flag that takes a value is the last word, or another flag follows.
    #[error("--{0} has no value")]
    NoValue(String),
    /// A text in the style of `|` or `>`.
    #[error("the argument is a block of several lines")]
    Block,
    /// Lines cannot be added or removed here.
    #[error("the entry shares its line with something else, or is not on the line of its dash")]
    Layout,
    /// The comment would go with the entry.
    #[error("a comment stands between the entries of this list")]
    Comment,
    /// Without it the list would be nothing.
    #[error("the list has no other entry")]
    OnlyEntry,
    /// Lines cannot be added to it.
    #[error("the list is not written as lines that start with a dash")]
    Flow,
    /// Not a text for one line of YAML; what the text is for.
    #[error("{0} holds a character other than printable ASCII")]
    Unprintable(String),
    /// Another volume hides the folder.
    #[error("something other than the host's {0} is mounted there")]
    Mounted(String),
    /// Somebody else uses our name, or an earlier edit had another folder.
    #[error("volume {name} has another path than {path}")]
    Volume {
        /// The volume.
        name: &'static str,
        /// The folder that it should be of.
        path: String,
    },
    /// The edit was tried, and its result read again.
    #[error("an edit would change more than what is wanted, or not all of that")]
    Differs,
}

impl Why {
    pub(super) fn at(self, line: usize) -> NotUnderstood {
        NotUnderstood { line, why: self }
    }
}
