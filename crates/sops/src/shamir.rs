//! Shamir's secret sharing over GF(2^8) with the polynomial of AES. A share is the values at one point, and behind them the point.

use aes_gcm::aead::OsRng;
use aes_gcm::aead::rand_core::RngCore;
use zeroize::Zeroizing;

/// Cuts a secret into `parts` shares, any `threshold` of which give it back.
pub(crate) fn split(secret: &[u8], parts: u8, threshold: u8) -> Vec<Zeroizing<Vec<u8>>> {
    let mut shares = vec![Zeroizing::new(Vec::with_capacity(secret.len() + 1)); usize::from(parts)];
    let mut coefficients = Zeroizing::new(vec![0; usize::from(threshold)]);
    for &byte in secret {
        OsRng.fill_bytes(&mut coefficients);
        coefficients[0] = byte;
        for (share, x) in shares.iter_mut().zip(1..) {
            let y = coefficients.iter().rev().fold(0, |sum, &c| multiply(sum, x) ^ c);
            share.push(y);
        }
    }
    for (share, x) in shares.iter_mut().zip(1..) {
        share.push(x);
    }
    shares
}

/// Puts shares together: `None` if they do not belong together. Too few of them give a wrong secret, not none.
pub(crate) fn combine(shares: &[Zeroizing<Vec<u8>>]) -> Option<Zeroizing<Vec<u8>>> {
    let length = shares.first()?.len().checked_sub(1).filter(|length| *length > 0)?;
    let points: Vec<u8> = shares.iter().filter_map(|share| share.last().copied()).collect();
    let distinct = (1..points.len()).all(|at| !points[..at].contains(&points[at]));
    if shares.len() < 2 || !distinct || shares.iter().any(|share| share.len() != length + 1) {
        return None;
    }
    let mut secret = Zeroizing::new(vec![0; length]);
    for (share, &x) in shares.iter().zip(&points) {
        // What this share counts for at zero.
        let others = points.iter().filter(|&&other| other != x);
        let weight = others.fold(1, |product, &other| {
            multiply(product, multiply(other, inverse(other ^ x)))
        });
        for (sum, &y) in secret.iter_mut().zip(share.iter()) {
            *sum ^= multiply(y, weight);
        }
    }
    Some(secret)
}

/// Takes the same time whatever the numbers are.
fn multiply(a: u8, b: u8) -> u8 {
    let mut product = 0u8;
    for bit in (0..8).rev() {
        let carry = 0u8.wrapping_sub(product >> 7) & 0x1b;
        product = (product << 1) ^ carry ^ (0u8.wrapping_sub((b >> bit) & 1) & a);
    }
    product
}

fn inverse(a: u8) -> u8 {
    // a^254, as every element but zero is 1 to the power of 255.
    (0..253).fold(a, |power, _| multiply(power, a))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_two_of_three_give_it_back() {
        let shares = split(b"0123456789abcdef0123456789abcdef", 3, 2);
        for (a, b) in [(0, 1), (1, 2), (2, 0)] {
            let two = [shares[a].clone(), shares[b].clone()];
            assert_eq!(&**combine(&two).expect("they fit"), b"0123456789abcdef0123456789abcdef");
        }
        assert!(combine(&shares[..1]).is_none());
        assert!(combine(&[shares[0].clone(), shares[0].clone()]).is_none());
    }
}
