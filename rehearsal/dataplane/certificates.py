"""
Certificates of the proxies, as ECS has them made for Service Connect: by the namespace's own authority, for seven days.

A key and its certificate lie in one file of secrets, which the proxy follows, so that a rotation changes both at once.

Source: Amazon ECS Developer Guide, "Encrypt Amazon ECS Service Connect traffic": short-lived certificates of AWS
Private CA, TLS 1.3, rotated every five days.
"""

from __future__ import annotations

import socket
import ssl
import threading
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from rehearsal.dataplane.proxy import CERTIFICATE, secret_file
from rehearsal.dataplane.resource_files import write_whole

VALID_DAYS = 7


class Certificates:
    """
    Has certificates made by the authorities of the embedded AWS, and keeps them where proxies follow them.

    Safe to use from many threads. `client` is the embedded AWS's of `acm-pca`.
    """

    def __init__(self, client: Any, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._client = client
        self._folder = folder
        self._made: dict[tuple[str, str], x509.Certificate] = {}
        self._trusted: dict[str, Path] = {}
        self._version = 0
        self._lock = threading.RLock()

    def secret(self, authority: str, name: str) -> Path:
        """Return the file with the certificate of a DNS name and its key; both are made when it is first asked for."""
        with self._lock:
            if (authority, name) not in self._made:
                self._make(authority, name)
            return self._file(name)

    def trust(self, authority: str) -> Path:
        """Return the file with an authority's own certificate."""
        with self._lock:
            if authority not in self._trusted:
                path = self._folder / f"authority-{len(self._trusted)}.pem"
                answer = self._client.get_certificate_authority_certificate(CertificateAuthorityArn=authority)
                path.write_text(answer["Certificate"])
                self._trusted[authority] = path
            return self._trusted[authority]

    def rotate(self) -> int:
        """Have every certificate made anew, with a new key; return how many there are."""
        with self._lock:
            for authority, name in list(self._made):
                self._make(authority, name)
            return len(self._made)

    def newest(self) -> dict[str, int]:
        """Return the serial number of the newest certificate of each name."""
        with self._lock:
            return {name: made.serial_number for (_, name), made in self._made.items()}

    def served(self, port: int, name: str) -> int:
        """Shake hands on a loopback port as a client of this name; return the serial number. Raises OSError."""
        with self._lock:
            authority = next(authority for authority, each in self._made if each == name)
            context = ssl.create_default_context(cafile=str(self.trust(authority)))
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        with (
            socket.create_connection(("127.0.0.1", port), timeout=30) as plain,
            context.wrap_socket(plain, server_hostname=name) as line,
        ):
            found = line.getpeercert(binary_form=True)
        assert found is not None
        return x509.load_der_x509_certificate(found).serial_number

    def _file(self, name: str) -> Path:
        return self._folder / f"{name}.json"

    def _make(self, authority: str, name: str) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        asked = (
            x509.CertificateSigningRequestBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
            .sign(key, hashes.SHA256())
        )
        issued = self._client.issue_certificate(
            CertificateAuthorityArn=authority,
            Csr=asked.public_bytes(serialization.Encoding.PEM),
            SigningAlgorithm="SHA256WITHRSA",
            Validity={"Value": VALID_DAYS, "Type": "DAYS"},
        )["CertificateArn"]
        chain = self._client.get_certificate(CertificateAuthorityArn=authority, CertificateArn=issued)["Certificate"]
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        self._version += 1
        write_whole(self._file(name), secret_file(CERTIFICATE, chain, private.decode(), version=self._version))
        self._made[authority, name] = x509.load_pem_x509_certificate(chain.encode())


def make_authority(client: Any) -> str:
    """Make an authority in the embedded AWS as ECS asks for it: active, for short-lived certificates, and tagged."""
    arn: str = client.create_certificate_authority(
        CertificateAuthorityType="ROOT",
        UsageMode="SHORT_LIVED_CERTIFICATE",
        CertificateAuthorityConfiguration={
            "KeyAlgorithm": "RSA_2048",
            "SigningAlgorithm": "SHA256WITHRSA",
            "Subject": {"CommonName": "rehearsal"},
        },
        Tags=[{"Key": "AmazonECSManaged", "Value": "true"}],
    )["CertificateAuthorityArn"]
    request = client.get_certificate_authority_csr(CertificateAuthorityArn=arn)["Csr"]
    root = client.issue_certificate(
        CertificateAuthorityArn=arn,
        Csr=request.encode(),
        SigningAlgorithm="SHA256WITHRSA",
        TemplateArn="arn:aws:acm-pca:::template/RootCACertificate/V1",
        Validity={"Value": 30, "Type": "DAYS"},
    )["CertificateArn"]
    made = client.get_certificate(CertificateAuthorityArn=arn, CertificateArn=root)["Certificate"]
    client.import_certificate_authority_certificate(CertificateAuthorityArn=arn, Certificate=made.encode())
    return arn
