//! Certificates for the TLS tests: what a careful administrator, the recipes of Postgres' manual, and an attacker make.

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, SigningKey as _,
    date_time_ymd,
};
use x509_cert::der::asn1::BitString;
use x509_cert::der::{Decode as _, Encode as _};
use x509_cert::{Certificate, Version};

/// A certificate and its key, both PEM.
pub(crate) struct Identity {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

/// A root that signs the others.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let mut params = params(Some(name), &[]);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, new_key()).expect("a self-signed root"))
    }

    pub(crate) fn certificate(&self) -> String {
        self.0.pem()
    }

    /// With alternative names, as every public authority makes them.
    pub(crate) fn issue(&self, names: &[&str]) -> Identity {
        self.sign(&params(None, names))
    }

    /// With the host only in the common name.
    pub(crate) fn issue_common_name(&self, name: &str) -> Identity {
        self.sign(&params(Some(name), &[]))
    }

    /// The common name says one thing, the alternative names another.
    pub(crate) fn issue_contradicting(&self, common_name: &str, names: &[&str]) -> Identity {
        self.sign(&params(Some(common_name), names))
    }

    pub(crate) fn issue_expired(&self, names: &[&str]) -> Identity {
        let mut params = params(None, names);
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2021, 1, 1);
        self.sign(&params)
    }

    /// X.509 version 1, as `openssl x509 -req` makes it without an extension file.
    pub(crate) fn issue_version_1(&self, common_name: &str) -> Identity {
        let key = new_key();
        let certificate = params(Some(common_name), &[])
            .signed_by(&key, &self.0)
            .expect("a certificate");
        let mut parsed = Certificate::from_der(certificate.der()).expect("DER");
        parsed.tbs_certificate.version = Version::V1;
        parsed.tbs_certificate.extensions = None;
        let message = parsed.tbs_certificate.to_der().expect("DER");
        let signature = self.0.key().sign(&message).expect("a signature");
        parsed.signature = BitString::from_bytes(&signature).expect("a bit string");
        Identity {
            certificate: pem(&parsed.to_der().expect("DER")),
            key: key.serialize_pem(),
        }
    }

    fn sign(&self, params: &CertificateParams) -> Identity {
        let key = new_key();
        let certificate = params.signed_by(&key, &self.0).expect("a certificate");
        Identity {
            certificate: certificate.pem(),
            key: key.serialize_pem(),
        }
    }
}

/// A certificate that is its own root, as `openssl req -x509` makes it: marked as an authority, host as common name.
pub(crate) fn self_signed(common_name: &str) -> Identity {
    let mut params = params(Some(common_name), &[]);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = new_key();
    let certificate = params.self_signed(&key).expect("a certificate");
    Identity {
        certificate: certificate.pem(),
        key: key.serialize_pem(),
    }
}

fn params(common_name: Option<&str>, names: &[&str]) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).expect("valid names");
    params.distinguished_name = rcgen::DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::CommonName, common_name.unwrap_or("a server"));
    params
}

fn new_key() -> KeyPair {
    KeyPair::generate().expect("a key")
}

fn pem(der: &[u8]) -> String {
    use base64::Engine as _;
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n")
}
